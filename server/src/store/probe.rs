//! Questions to the database about itself: whether it takes writes, and whether anything has been written.

use super::{AnyConnection, QueryResult};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

/// Whether the database takes writes. A connection to `PostgreSQL` may have stayed with a server that has become a
/// standby, and `SQLite` finds out about a full disk only by writing.
pub(super) fn takes_writes(connection: &mut AnyConnection) -> QueryResult<bool> {
    match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.batch_execute("SELECT 1").map(|()| true),
        AnyConnection::Postgresql(postgres) => {
            // Nobody is let in where those tables can't be read.
            let found: ReadOnly = diesel::sql_query(
                "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only \
                 FROM (SELECT 1) AS one LEFT JOIN users ON false LEFT JOIN sessions ON false LEFT JOIN jobs ON false",
            )
            .get_result(postgres)?;
            Ok(!found.read_only)
        }
    }
}

#[derive(diesel::QueryableByName)]
struct ReadOnly {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    read_only: bool,
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// Which transactions can be seen, in the form in which `PostgreSQL` sends it.
    fn pg_current_snapshot() -> diesel::sql_types::Binary;
}

/// Which transactions can be seen now. As long as it is the same, nothing has been written by anybody.
pub(super) fn snapshot(connection: &mut AnyConnection) -> QueryResult<Vec<u8>> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(Vec::new()),
        AnyConnection::Postgresql(postgres) => diesel::select(pg_current_snapshot()).first(postgres),
    }
}

/// Writes what stands there already.
pub(super) fn try_to_write(connection: &mut AnyConnection) -> QueryResult<()> {
    diesel::sql_query("UPDATE counters SET value = value WHERE name = 'job'").execute(connection).map(drop)
}
