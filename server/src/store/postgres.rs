//! What is `PostgreSQL`'s alone: the limits of a connection, and what is not as it should be at the other end.

use super::QueryResult;
use super::connection::BUSY_LIMIT;
use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, PgConnection, RunQueryDsl};
use std::error::Error;

/// Limits of a connection to `PostgreSQL` where its URL sets none, in seconds and, the last, milliseconds:
/// without them a server that vanished holds its callers for many minutes. After a failover only the new primary will do.
const POSTGRES_LIMITS: [(&str, &str); 4] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "30"),
    ("tcp_user_timeout", "30000"),
    ("target_session_attrs", "read-write"),
];

pub(super) fn open(url: &str) -> Result<PgConnection, ConnectionError> {
    PgConnection::establish(&with_limits(url))
}

fn with_limits(url: &str) -> String {
    let is_set = |key: &str| url.contains(&format!("{key}="));
    POSTGRES_LIMITS.iter().filter(|(key, _)| !is_set(key)).fold(url.to_owned(), |url, (key, value)| {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{key}={value}")
    })
}

/// Somebody who holds a whole table (VACUUM FULL, ALTER) must not hold everybody who asks. An administrator's own limit
/// stays.
pub(super) fn limit_locks(postgres: &mut PgConnection) -> QueryResult<()> {
    postgres.batch_execute(&format!(
        "SELECT set_config('lock_timeout', '{}s', false) WHERE current_setting('lock_timeout') = '0'",
        BUSY_LIMIT.as_secs()
    ))
}

#[derive(diesel::QueryableByName)]
struct Language {
    #[diesel(sql_type = diesel::sql_types::Text)]
    lc_messages: String,
}

/// diesel tells few of its error codes, and for the others there are only its words.
pub(super) fn warn_of_language(postgres: &mut PgConnection) -> QueryResult<()> {
    let found: Language =
        diesel::sql_query("SELECT current_setting('lc_messages') AS lc_messages").get_result(postgres)?;
    let named = found.lc_messages;
    if !is_understood(&named) {
        tracing::warn!(
            lc_messages = named,
            "PostgreSQL speaks {named} (lc_messages): its time limits, deadlocks and full disks are not recognized, and \
             count as defects; let its administrator ALTER ROLE … SET lc_messages = 'C'"
        );
    }
    Ok(())
}

/// Empty: it follows the server's environment, whose language nobody tells.
fn is_understood(lc_messages: &str) -> bool {
    let name = lc_messages.to_ascii_lowercase();
    name.is_empty() || name.starts_with("en") || matches!(name.split('.').next(), Some("c" | "posix"))
}

/// Texts of jobs may hold every character; one that can't be stored would keep its job from being saved.
pub(super) fn refuse_other_encodings(postgres: &mut PgConnection) -> Result<(), Box<dyn Error + Send + Sync>> {
    let found: Encoding =
        diesel::sql_query("SELECT current_setting('server_encoding') AS encoding").get_result(postgres)?;
    match found.encoding.as_str() {
        // The second stores bytes as they come, and ours are UTF-8.
        "UTF8" | "SQL_ASCII" => Ok(()),
        other => Err(format!("its encoding is {other}; make it with CREATE DATABASE … ENCODING 'UTF8'").into()),
    }
}

#[derive(diesel::QueryableByName)]
struct Encoding {
    #[diesel(sql_type = diesel::sql_types::Text)]
    encoding: String,
}

#[cfg(test)]
mod tests {
    use super::{is_understood, with_limits};

    #[test]
    fn a_postgres_connection_has_limits_unless_its_url_sets_them() {
        let ours = "connect_timeout=5&keepalives_idle=30&tcp_user_timeout=30000&target_session_attrs=read-write";
        assert_eq!(with_limits("postgres://db/x"), format!("postgres://db/x?{ours}"));
        assert_eq!(
            with_limits("postgres://db/x?tcp_user_timeout=1"),
            "postgres://db/x?tcp_user_timeout=1&connect_timeout=5&keepalives_idle=30&target_session_attrs=read-write"
        );
    }

    #[test]
    fn english_has_many_names() {
        for (name, expected) in [
            ("C", true),
            ("C.UTF-8", true),
            ("POSIX", true),
            ("en_GB.UTF-8", true),
            ("English_United States.1252", true),
            ("", true),
            ("de_DE.UTF-8", false),
            ("cs_CZ", false),
            ("zh_CN.utf8", false),
        ] {
            assert_eq!(is_understood(name), expected, "{name}");
        }
    }
}
