//! Whether a pooler of transactions stands between us and `PostgreSQL`: it gives each transaction whatever session is free,
//! so that nothing may be kept in one, such as a prepared statement.

use super::{AnyConnection, QueryResult};
use diesel::connection::CacheSize;
use diesel::sql_types::Integer;
use diesel::{Connection, RunQueryDsl};
use std::collections::BTreeSet;

/// At each of two connections, in turn. One look is not enough: a busy pooler gives a session that has just become free
/// to somebody else.
const LOOKS: usize = 8;

#[derive(diesel::QueryableByName)]
struct Session {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// Whether two connections share a session, or one of them has several. A direct one has one of its own.
pub(super) fn is_between(connection: &mut AnyConnection, other: &mut AnyConnection) -> QueryResult<bool> {
    for connection in [&mut *connection, &mut *other] {
        connection.set_prepared_statement_cache_size(CacheSize::Disabled);
    }
    let session = |connection: &mut AnyConnection| {
        let found: Session = diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(connection)?;
        QueryResult::Ok(found.pid)
    };
    let (mut own, mut others) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..LOOKS {
        own.insert(connection.transaction(session)?);
        others.insert(other.transaction(session)?);
    }
    Ok(own.len() > 1 || others.len() > 1 || own == others)
}

/// Of a statement that was prepared in another session than that which is asked for it: whatever the server's language, it
/// names the statement, and diesel's own names begin so.
pub(super) fn is_of_another_session(message: &str) -> bool {
    message.contains("__diesel_stmt_")
}
