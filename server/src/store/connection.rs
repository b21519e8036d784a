//! One connection type for both databases, its pool and its settings.
//! The scheme of the URL picks the database explicitly; diesel's own guessing would make a file called `postgres:…`.

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ManageConnection, Pool, R2D2Connection};
use diesel::{Connection, ConnectionError, PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::path::PathBuf;
use std::time::Duration;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");
/// How long a caller waits for a free connection before the answer is "unavailable".
const POOL_TIMEOUT: Duration = Duration::from_secs(10);
/// Enough for the readers of a busy server; `SQLite` writers take turns before they ask for one.
const POOL_SIZE: u32 = 10;
/// Limits of a connection to `PostgreSQL` where its URL sets none, in seconds and, the last, milliseconds:
/// without them a server that vanished holds its callers for many minutes.
const POSTGRES_LIMITS: [(&str, &str); 3] =
    [("connect_timeout", "5"), ("keepalives_idle", "30"), ("tcp_user_timeout", "30000")];
/// Key of the advisory lock under which replicas take turns to migrate; any constant of our own will do.
const MIGRATION_LOCK: i64 = 0x7465_7374_6172_6e61;

#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Postgresql(PgConnection),
    Sqlite(SqliteConnection),
}

/// Where the database is, from `database_url`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

/// The whole URL of `PostgreSQL` as stars: a password may stand in several places of it.
impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(***)"),
        }
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once("://") {
            Some(("sqlite", "")) => Err("database_url names no file; write sqlite://data/testarena.db".to_owned()),
            Some(("sqlite", path)) => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            _ => Err("database_url must begin with sqlite:// or postgres://".to_owned()),
        }
    }
}

impl DatabaseUrl {
    /// Whether several processes may serve from the database.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    fn connect(&self) -> Result<AnyConnection, ConnectionError> {
        match self {
            Self::Postgres(url) => PgConnection::establish(&with_limits(url)).map(AnyConnection::Postgresql),
            Self::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(&path.to_string_lossy())?;
                // The timeout first: switching to WAL itself needs the lock. FULL: what was accepted survives a power cut.
                connection
                    .batch_execute(
                        "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                         PRAGMA foreign_keys = ON;",
                    )
                    .map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(AnyConnection::Sqlite(connection))
            }
        }
    }
}

fn with_limits(url: &str) -> String {
    let is_set = |key: &str| url.contains(&format!("{key}="));
    POSTGRES_LIMITS.iter().filter(|(key, _)| !is_set(key)).fold(url.to_owned(), |url, (key, value)| {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{key}={value}")
    })
}

/// Opens and checks the pool's connections.
pub struct Manager(DatabaseUrl);

impl ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<AnyConnection, Self::Error> {
        self.0.connect().map_err(diesel::r2d2::Error::ConnectionError)
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> Result<(), Self::Error> {
        connection.ping().map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        connection.is_broken()
    }
}

pub fn open_pool(url: &DatabaseUrl) -> Pool<Manager> {
    Pool::builder()
        .max_size(POOL_SIZE)
        .min_idle(Some(1))
        .connection_timeout(POOL_TIMEOUT)
        // A local file can't go away under an open connection as a server can.
        .test_on_check_out(matches!(url, DatabaseUrl::Postgres(_)))
        .build_unchecked(Manager(url.clone()))
}

/// Brings the schema up to date; several replicas may start at once.
pub fn migrate(connection: &mut AnyConnection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match connection {
        // The lock comes before the look at what is pending; another process may be doing the same.
        AnyConnection::Sqlite(sqlite) => {
            sqlite.immediate_transaction(|sqlite| sqlite.run_pending_migrations(MIGRATIONS).map(drop))
        }
        AnyConnection::Postgresql(postgres) => {
            postgres.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
            let migrated = postgres.run_pending_migrations(MIGRATIONS).map(drop);
            postgres.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})"))?;
            migrated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DatabaseUrl, with_limits};

    #[test]
    fn a_postgres_connection_has_limits_unless_its_url_sets_them() {
        let ours = "connect_timeout=5&keepalives_idle=30&tcp_user_timeout=30000";
        assert_eq!(with_limits("postgres://db/x"), format!("postgres://db/x?{ours}"));
        assert_eq!(
            with_limits("postgres://db/x?tcp_user_timeout=1"),
            "postgres://db/x?tcp_user_timeout=1&connect_timeout=5&keepalives_idle=30"
        );
    }

    #[test]
    fn a_password_in_the_url_is_never_printed() {
        for url in ["postgres://ada:hunter2@db/x", "postgresql://db/x?user=ada&password=hunter2"] {
            assert_eq!(format!("{:?}", url.parse::<DatabaseUrl>().unwrap()), "Postgres(***)");
        }
    }
}
