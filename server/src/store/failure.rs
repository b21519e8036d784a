//! Why the store did not do it, and whether the query or the database is to blame.
//! What is the database's own trouble passes, so the caller is told to come again.

use super::{AnyConnection, pooler};
use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{ConnectionError, PgConnection};
use std::fmt;
use std::sync::Arc;

/// Why the store did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is wrong with the query; later it may work.
    #[error("{0}: {1}")]
    Unavailable(Outage, Arc<str>),
    #[error("the database refused a query: {0}")]
    Query(Arc<DieselError>),
    #[error("the database could not be brought up to date: {0}")]
    Migration(String),
    #[error("a database call was cut off by a defect of ours")]
    Interrupted,
}

/// What keeps a database from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    Away,
    /// All connections are at work, or somebody else holds the lock.
    Busy,
    /// Another server may have taken over from this one.
    ReadOnly,
    Full,
    /// Statements were prepared in another session than that which is asked now.
    Moved,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Away => "the database can't be reached",
            Self::Busy => "the database is busy",
            Self::ReadOnly => "the database takes no writes at the moment",
            Self::Full => "the database has no room left: disk full",
            Self::Moved => "the database gives each transaction another session",
        })
    }
}

impl StoreError {
    pub(crate) fn unavailable(outage: Outage, cause: &impl ToString) -> Self {
        Self::Unavailable(outage, cause.to_string().into())
    }

    pub(super) fn not_connected(error: &ConnectionError) -> Self {
        let cause = error.to_string();
        // What libpq says of a server that `target_session_attrs` refuses.
        let outage =
            if cause.contains("read-only") || cause.contains("hot standby") { Outage::ReadOnly } else { Outage::Away };
        Self::unavailable(outage, &cause)
    }

    /// What keeps the database from working, if that is the reason.
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Unavailable(outage, _) => Some(*outage),
            _ => None,
        }
    }

    /// Nothing is wrong with the query: the database is away, full or overloaded, and later it may work.
    pub fn is_unavailable(&self) -> bool {
        self.outage().is_some()
    }

    /// The query itself wanted nothing of it to stay.
    pub fn is_rollback(&self) -> bool {
        matches!(self, Self::Query(error) if matches!(**error, DieselError::RollbackTransaction))
    }

    /// Somebody else has inserted the same key first.
    pub fn is_duplicate(&self) -> bool {
        let Self::Query(error) = self else { return false };
        matches!(**error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
    }
}

/// Whether the database is to blame for an error, not the query. Asks it only where the error itself does not say.
pub(super) fn outage_behind(connection: &mut AnyConnection, error: &DieselError) -> Option<Outage> {
    let (kind, info) = match error {
        DieselError::BrokenTransactionManager => return Some(Outage::Away),
        DieselError::DatabaseError(kind, info) => (kind, info),
        DieselError::RollbackErrorOnCommit { commit_error, .. } => return outage_behind(connection, commit_error),
        _ => return None,
    };
    let message = info.message();
    match kind {
        DatabaseErrorKind::ReadOnlyTransaction => Some(Outage::ReadOnly),
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => Some(Outage::Away),
        DatabaseErrorKind::SerializationFailure => Some(Outage::Busy),
        DatabaseErrorKind::Unknown if message == "deadlock detected" => Some(Outage::Busy),
        // A time limit of the server's own is over, or somebody there has ended it.
        DatabaseErrorKind::Unknown if message.starts_with("canceling statement due to") => Some(Outage::Busy),
        DatabaseErrorKind::Unknown if pooler::is_of_another_session(message) => Some(Outage::Moved),
        DatabaseErrorKind::Unknown => match connection {
            AnyConnection::Sqlite(_) => outage_of_sqlite(message),
            // A connection that still answers was not the reason.
            AnyConnection::Postgresql(postgres) => {
                outage_of_postgres(message, info.hint()).or_else(|| is_dead(postgres).then_some(Outage::Away))
            }
        },
        _ => None,
    }
}

/// What the server says of its own trouble and of its administrator's limits: diesel tells few of its error codes.
const POSTGRES_TROUBLES: [(&str, Outage); 15] = [
    ("No space left on device", Outage::Full),
    ("Disk quota exceeded", Outage::Full),
    ("temporary file size exceeds", Outage::Full),
    ("out of memory", Outage::Busy),
    ("out of shared memory", Outage::Busy),
    ("could not obtain lock", Outage::Busy),
    ("too many clients", Outage::Busy),
    ("is not accepting commands", Outage::ReadOnly),
    ("permission denied", Outage::Away),
    ("Input/output error", Outage::Away),
    ("could not open file", Outage::Away),
    ("could not read block", Outage::Away),
    ("could not write block", Outage::Away),
    ("could not extend file", Outage::Full),
    ("invalid page in block", Outage::Away),
];
/// Of a disk that took a part of what was written.
const FULL_HINT: &str = "Check free disk space";

fn outage_of_postgres(message: &str, hint: Option<&str>) -> Option<Outage> {
    if hint.is_some_and(|hint| hint.contains(FULL_HINT)) {
        return Some(Outage::Full);
    }
    POSTGRES_TROUBLES.iter().find(|(words, _)| message.contains(words)).map(|(_, outage)| *outage)
}

/// diesel tells no error code of `SQLite`, only its fixed text for it.
fn outage_of_sqlite(message: &str) -> Option<Outage> {
    match message {
        "database is locked" | "database table is locked" => Some(Outage::Busy),
        "database or disk is full" => Some(Outage::Full),
        "attempt to write a readonly database" => Some(Outage::ReadOnly),
        "disk I/O error" | "unable to open database file" => Some(Outage::Away),
        _ => None,
    }
}

/// Whether `SQLite` was asked while another program is at the file.
pub(super) fn is_busy(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if matches!(outage_of_sqlite(info.message()), Some(Outage::Busy)))
}

/// Inside a failed transaction every statement is refused, in the server's own language. Nothing at all is answered
/// everywhere, which diesel calls an error, in its own words.
fn is_dead(postgres: &mut PgConnection) -> bool {
    let asked = postgres.batch_execute("");
    asked.is_err_and(|error| match error {
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => info.message() != "Received an empty query",
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_says_of_its_own_trouble_is_no_fault_of_the_query() {
        let disk = Some("Check free disk space.");
        for (message, hint, expected) in [
            ("could not extend file \"base/1/2\": No space left on device", disk, Some(Outage::Full)),
            ("could not extend file \"base/1/2\": wrote only 4096 of 8192 bytes at block 3", disk, Some(Outage::Full)),
            ("could not write to file \"pg_wal/xlogtemp.9\": Disk quota exceeded", None, Some(Outage::Full)),
            ("temporary file size exceeds temp_file_limit (1kB)", None, Some(Outage::Full)),
            ("out of shared memory", Some("You might need to increase max_locks_per_transaction."), Some(Outage::Busy)),
            ("could not obtain lock on row in relation \"jobs\"", None, Some(Outage::Busy)),
            (
                "database is not accepting commands to avoid wraparound data loss in database \"testarena\"",
                None,
                Some(Outage::ReadOnly),
            ),
            ("could not read block 3 in file \"base/1/2\": Input/output error", None, Some(Outage::Away)),
            ("invalid page in block 3 of relation base/1/2", None, Some(Outage::Away)),
            ("permission denied for table jobs", None, Some(Outage::Away)),
            ("column \"x\" does not exist", None, None),
            ("division by zero", None, None),
        ] {
            assert_eq!(outage_of_postgres(message, hint), expected, "{message}");
        }
    }
}
