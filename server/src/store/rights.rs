//! Whether the database lets us do what the server will do, tried in a transaction that leaves nothing behind.

use super::{AnyConnection, QueryResult, Store, StoreError};
use diesel::result::Error as DieselError;
use diesel::{RunQueryDsl, sql_query};

/// `is_filled`: the tables are there already, so that they must be ours to write too.
///
/// # Errors
/// What the server could not do.
pub async fn try_rights(store: &Store, is_filled: bool) -> Result<(), StoreError> {
    let tried = store.write(move |connection| try_all(connection, is_filled)).await;
    match tried {
        Err(error) if error.is_rollback() => Ok(()),
        other => other,
    }
}

fn try_all(connection: &mut AnyConnection, is_filled: bool) -> QueryResult<()> {
    // What an update of the program does at its first start.
    sql_query("CREATE TABLE testarena_check (n BIGINT NOT NULL)").execute(connection)?;
    sql_query("INSERT INTO testarena_check (n) VALUES (1)").execute(connection)?;
    if is_filled {
        sql_query("UPDATE counters SET value = value WHERE value < 0").execute(connection)?;
        sql_query("DELETE FROM jobs WHERE id < 0").execute(connection)?;
    }
    Err(DieselError::RollbackTransaction)
}
