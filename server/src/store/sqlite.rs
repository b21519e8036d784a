//! What is SQLite's alone: how its file is opened and made, its pragmas, and its write-ahead log.

use super::connection::BUSY_LIMIT;
use super::failure::is_busy;
use super::{AnyConnection, QueryResult};
use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, RunQueryDsl, SqliteConnection};
use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::time::Instant;

/// How SQLite has to be compiled to be fast (see `.cargo/config.toml`), as `PRAGMA compile_options` tells it.
const SQLITE_OPTIONS: [&str; 3] = ["ENABLE_QPSG", "DEFAULT_MEMSTATUS=0", "THREADSAFE=2"];
/// Time between two tries where SQLite does not wait itself.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Pages of the write-ahead log after which a commit tidies it up itself, should the store's own tidying lag behind.
const CHECKPOINT_PAGES: u32 = 20_000;

pub(super) fn open(path: &Path) -> Result<SqliteConnection, ConnectionError> {
    let mut connection = open_file(path)?;
    set_up(&mut connection).map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
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
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file, so that it can hold no database"));
    }
    let of_others = found.permissions().mode() & 0o077;
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

/// Moves what has been committed from the write-ahead log into the database, as far as nobody is in the way, so that no
/// commit has to do it.
pub(super) fn tidy_log(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.batch_execute("PRAGMA wal_checkpoint(PASSIVE)"),
        AnyConnection::Postgresql(_) => Ok(()),
    }
}

#[derive(diesel::QueryableByName)]
struct CompileOption {
    #[diesel(sql_type = diesel::sql_types::Text)]
    compile_options: String,
}

pub(super) fn warn_of_missing_options(sqlite: &mut SqliteConnection) -> QueryResult<()> {
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
