//! One connection type for both databases, how it is opened, and its settings.
//! The scheme of the URL picks the database explicitly; diesel's own guessing would make a file called `postgres:…`.

use super::failure::is_busy;
use super::{QueryResult, pooler};
use diesel::backend::Backend;
use diesel::connection::{CacheSize, SimpleConnection};
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::r2d2::R2D2Connection;
use diesel::{Connection, ConnectionError, PgConnection, RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::error::Error;
use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");
/// Limits of a connection to `PostgreSQL` where its URL sets none, in seconds and, the last, milliseconds:
/// without them a server that vanished holds its callers for many minutes. After a failover only the new primary will do.
const POSTGRES_LIMITS: [(&str, &str); 4] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "30"),
    ("tcp_user_timeout", "30000"),
    ("target_session_attrs", "read-write"),
];
/// How SQLite has to be compiled to be fast (see `.cargo/config.toml`), as `PRAGMA compile_options` tells it.
const SQLITE_OPTIONS: [&str; 3] = ["ENABLE_QPSG", "DEFAULT_MEMSTATUS=0", "THREADSAFE=2"];
/// Of a database file that is no longer that which was opened.
pub(super) const MOVED_WORDS: &str = "the database file has been removed or replaced; put that file back, or stop the server, remove \
     the -wal and -shm beside it, which belong to the file that is gone, and start it again";
/// Longest that a connection waits for others who hold what it needs.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
/// Time between two tries where SQLite does not wait itself.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Pages of the write-ahead log after which a commit tidies it up itself, should the store's own tidying lag behind.
const CHECKPOINT_PAGES: u32 = 20_000;
/// Key of the advisory lock under which replicas take turns to migrate; any constant of our own will do.
const MIGRATION_LOCK: i64 = 0x7465_7374_6172_6e61;

#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Postgresql(PgConnection),
    Sqlite(SqliteConnection),
}

/// Runs a query on the database's own connection, called `$own`, where diesel knows a statement by its type and writes its
/// text once; on a connection that may be either it writes it anew each time. For what is asked all the time.
macro_rules! on_own {
    ($connection:expr, |$own:ident| $query:expr) => {
        match $connection {
            $crate::store::AnyConnection::Postgresql($own) => $query,
            $crate::store::AnyConnection::Sqlite($own) => $query,
        }
    };
}

pub(super) use on_own;

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
                let mut connection = open_file(path)?;
                set_up(&mut connection).map_err(ConnectionError::CouldntSetupConfiguration)?;
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

/// Opens the database's file, and makes it where there is none. A process that closes a file loses all locks that it holds
/// on it, whoever opened it, and the next program to look into the database would take the write-ahead log away from under
/// us. So a file that SQLite may have open is never opened in another way, and only one thread at a time makes one.
fn open_file(path: &Path) -> Result<SqliteConnection, ConnectionError> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    keep_private(path).map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    SqliteConnection::establish(&path.to_string_lossy())
}

fn set_up(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", BUSY_LIMIT.as_millis()))?;
    use_write_ahead_log(connection)?;
    // FULL: what was accepted survives a power cut. MEMORY: what a call of a group would have to undo is kept there and
    // not in a file, which took most of the writing.
    connection.batch_execute(&format!(
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON; \
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};"
    ))
}

/// The one statement that SQLite refuses at once where others are at the file, however long it may wait: programs that
/// start together on a new database all want to switch it.
fn use_write_ahead_log(connection: &mut SqliteConnection) -> QueryResult<()> {
    let end = Instant::now() + BUSY_LIMIT;
    loop {
        match connection.batch_execute("PRAGMA journal_mode = WAL") {
            Err(error) if is_busy(&error) && Instant::now() < end => std::thread::sleep(BUSY_PAUSE),
            done => return done,
        }
    }
}

/// The database is for its owner alone: it holds password hashes. What SQLite keeps beside the file gets its rights.
fn keep_private(path: &Path) -> io::Result<()> {
    if !path.try_exists()? {
        return OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop);
    }
    let of_others = std::fs::metadata(path)?.permissions().mode() & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    // One that an earlier version or somebody else has made; where it is not ours, its owner has decided.
    for end in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        if let Err(error) = std::fs::set_permissions(&file, Permissions::from_mode(0o600))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "others can read the database {}{end}", path.display());
        }
    }
    Ok(())
}

/// Opens connections, and knows which of them are of no more use.
pub(super) struct Connector {
    url: DatabaseUrl,
    generation: AtomicUsize,
    /// Connections to a pooler that may give each transaction another session.
    is_pooled: AtomicBool,
    /// The file of `SQLite` as it was first opened.
    file: OnceLock<FileId>,
    /// Transactions so far.
    writes: AtomicU64,
}

/// Device and inode.
type FileId = (u64, u64);

impl Connector {
    pub(super) fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            generation: AtomicUsize::new(0),
            is_pooled: AtomicBool::new(false),
            file: OnceLock::new(),
            writes: AtomicU64::new(0),
        }
    }

    pub(super) fn connect(&self) -> Result<AnyConnection, ConnectionError> {
        if !self.is_in_place() {
            return Err(ConnectionError::BadConnection(MOVED_WORDS.to_owned()));
        }
        let mut connection = self.url.connect()?;
        if let Some(id) = self.file_id() {
            self.file.get_or_init(|| id);
        }
        if self.is_pooled() {
            // Statements that are prepared once and used later would be looked for in another session.
            connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        } else if let AnyConnection::Postgresql(postgres) = &mut connection {
            // Somebody who holds a whole table (VACUUM FULL, ALTER) must not hold everybody who asks. An administrator's own
            // limit stays.
            let limit = format!(
                "SELECT set_config('lock_timeout', '{}s', false) WHERE current_setting('lock_timeout') = '0'",
                BUSY_LIMIT.as_secs()
            );
            postgres.batch_execute(&limit).map_err(ConnectionError::CouldntSetupConfiguration)?;
        }
        Ok(connection)
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.url, DatabaseUrl::Sqlite(_))
    }

    /// Whether there is a database file that somebody else has made: only a caller makes one.
    pub(super) fn exists(&self) -> bool {
        matches!(&self.url, DatabaseUrl::Sqlite(path) if path.exists())
    }

    pub(super) fn writes(&self) -> &AtomicU64 {
        &self.writes
    }

    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled.load(Ordering::Relaxed)
    }

    /// Whether the file is still that which was first opened. `SQLite` goes on with one that somebody has removed or replaced,
    /// and all that it writes is gone with the process.
    pub(super) fn is_in_place(&self) -> bool {
        self.file.get().is_none_or(|first| self.file_id() == Some(*first))
    }

    fn file_id(&self) -> Option<FileId> {
        let DatabaseUrl::Sqlite(path) = &self.url else { return None };
        std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
    }

    pub(super) fn still_works(&self, connection: &mut AnyConnection) -> bool {
        if self.is_sqlite() { self.is_in_place() } else { connection.ping().is_ok() }
    }

    /// Changes when all open connections have to be given up.
    pub(super) fn generation(&self) -> usize {
        self.generation.load(Ordering::Acquire)
    }

    /// The server has become a read-only one: all connections stay with it, so none is of any more use.
    pub(super) fn give_up_all(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// There is a pooler of transactions in between after all: no open connection is of any more use.
    pub(super) fn prepare_no_more(&self) {
        if !self.is_pooled.swap(true, Ordering::Relaxed) {
            tracing::info!("the database is behind a pooler of transactions: no statement is kept prepared");
        }
        self.give_up_all();
    }

    /// Finds out what is at the other end, and says where it is not what it should be.
    pub(super) fn look_at(&self, connection: &mut AnyConnection) -> QueryResult<()> {
        match connection {
            AnyConnection::Sqlite(sqlite) => warn_of_missing_options(sqlite),
            AnyConnection::Postgresql(postgres) => {
                warn_of_language(postgres)?;
                self.look_for_pooler(connection)
            }
        }
    }

    fn look_for_pooler(&self, connection: &mut AnyConnection) -> QueryResult<()> {
        let Ok(mut other) = self.url.connect() else { return Ok(()) };
        if pooler::is_between(connection, &mut other)? {
            self.prepare_no_more();
        }
        Ok(())
    }
}

#[derive(diesel::QueryableByName)]
struct CompileOption {
    #[diesel(sql_type = diesel::sql_types::Text)]
    compile_options: String,
}

fn warn_of_missing_options(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    let found: Vec<CompileOption> = diesel::sql_query("PRAGMA compile_options").load(sqlite)?;
    for option in SQLITE_OPTIONS {
        if !found.iter().any(|found| found.compile_options == option) {
            tracing::warn!(
                option,
                "SQLite was compiled without {option}, which makes every query slower; see LIBSQLITE3_FLAGS"
            );
        }
    }
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Language {
    #[diesel(sql_type = diesel::sql_types::Text)]
    lc_messages: String,
}

/// diesel tells few of its error codes, and for the others there are only its words.
fn warn_of_language(postgres: &mut PgConnection) -> QueryResult<()> {
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

#[derive(diesel::QueryableByName)]
struct ReadOnly {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    read_only: bool,
}

/// Moves what has been committed from the write-ahead log into the database, as far as nobody is in the way, so that no
/// commit has to do it.
pub(super) fn tidy_log(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.batch_execute("PRAGMA wal_checkpoint(PASSIVE)"),
        AnyConnection::Postgresql(_) => Ok(()),
    }
}

/// Brings the schema up to date; several replicas may start at once.
pub fn migrate(connection: &mut AnyConnection) -> Result<(), Box<dyn Error + Send + Sync>> {
    match connection {
        // The lock comes before the look at what is pending; another process may be doing the same.
        AnyConnection::Sqlite(sqlite) => sqlite.immediate_transaction(|sqlite| {
            refuse_newer(sqlite)?;
            sqlite.run_pending_migrations(MIGRATIONS).map(drop)
        }),
        // In one transaction, so that the lock needs no session of its own, which a pooler would not give.
        AnyConnection::Postgresql(postgres) => postgres.transaction(|postgres| {
            // However long another replica takes for it.
            postgres.batch_execute("SET LOCAL lock_timeout = 0")?;
            postgres.batch_execute(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))?;
            refuse_other_encodings(postgres)?;
            refuse_newer(postgres)?;
            postgres.run_pending_migrations(MIGRATIONS).map(drop)
        }),
    }
}

/// An older server would write rows without what the newer schema's server needs of them.
fn refuse_newer<D: Backend>(connection: &mut impl MigrationHarness<D>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let ours: Vec<_> = MigrationSource::<D>::migrations(&MIGRATIONS)?;
    let is_ours = |version: &MigrationVersion<'_>| ours.iter().any(|ours| ours.name().version() == *version);
    match connection.applied_migrations()?.into_iter().find(|version| !is_ours(version)) {
        Some(version) => Err(format!(
            "a newer TestArena has brought it to {version}; start that one, or put back a backup from before the update"
        )
        .into()),
        None => Ok(()),
    }
}

/// Texts of jobs may hold every character; one that can't be stored would keep its job from being saved.
fn refuse_other_encodings(postgres: &mut PgConnection) -> Result<(), Box<dyn Error + Send + Sync>> {
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
    use super::{DatabaseUrl, is_understood, with_limits};

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

    #[test]
    fn a_password_in_the_url_is_never_printed() {
        for url in ["postgres://ada:hunter2@db/x", "postgresql://db/x?user=ada&password=hunter2"] {
            assert_eq!(format!("{:?}", url.parse::<DatabaseUrl>().unwrap()), "Postgres(***)");
        }
    }
}
