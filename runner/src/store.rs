//! The durable queue in one SQLite file: the only place that knows diesel.
//! One connection writes, a few read; an answer about a write is given after its commit is on the disk.

mod changes;
mod clock;
mod finish;
mod gone;
mod marks;
mod queues;
mod schedule;
mod schema;

pub use changes::{Cursor, FeedPage};
pub use finish::Finished;
pub use queues::{Acceptance, NewQueue, NewTask, OfInstance, QueueRow, QueueView, TaskRow};

use crate::boot::Boot;
use clock::Clock;
use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel::sql_types::BigInt;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();
/// Status calls are short, so a handful of connections serves hundreds of them a second.
const READERS: u32 = 4;
/// Longest wait for a free reading connection.
const READER_WAIT: Duration = Duration::from_secs(10);
/// WAL with full synchronisation: a commit that was answered survives a power cut.
const PRAGMAS: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";
/// More than the write-ahead log grows to between two checkpoints.
const TAKE_ROOM: &str = "CREATE TABLE room (filler BLOB); INSERT INTO room VALUES (zeroblob(8388608));";
/// With less of that left in the database's file, in bytes, it is taken anew.
const LEAST_ROOM: i64 = 4 * 1024 * 1024;
/// Of the last start as well, should it have been cut off.
const FREE_ROOM: &str = "DROP TABLE IF EXISTS room; PRAGMA wal_checkpoint(RESTART);";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("can't open the queue's database: {0}")]
    Open(String),
    #[error("the queue's database failed: {0}")]
    Query(#[from] diesel::result::Error),
    #[error("no connection to the queue's database: {0}")]
    Pool(#[from] diesel::r2d2::PoolError),
    #[error("a call of the queue's database was cut off: {0}")]
    Cancelled(#[from] tokio::task::JoinError),
}

pub type StoreResult<T> = Result<T, StoreError>;

#[derive(Clone)]
pub struct Store {
    writer: Arc<Mutex<SqliteConnection>>,
    readers: Pool<ConnectionManager<SqliteConnection>>,
    changed: watch::Sender<()>,
    clock: Arc<Clock>,
}

#[derive(Debug)]
struct SetPragmas;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for SetPragmas {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        connection.batch_execute(PRAGMAS).map_err(diesel::r2d2::Error::QueryError)
    }
}

impl Store {
    /// Opens or makes the database and brings its schema up to date. Blocks.
    pub fn open(path: &Path) -> StoreResult<Self> {
        Self::open_at(path, Boot::now().as_ref())
    }

    fn open_at(path: &Path, boot: Option<&Boot>) -> StoreResult<Self> {
        let failed = |cause: String| StoreError::Open(format!("{}: {cause}", path.display()));
        let url = path.to_str().ok_or_else(|| failed("the path is not UTF-8".to_owned()))?;
        let mut writer = SqliteConnection::establish(url).map_err(|error| failed(error.to_string()))?;
        writer.batch_execute(PRAGMAS)?;
        writer.run_pending_migrations(MIGRATIONS).map_err(|error| failed(error.to_string()))?;
        keep_room(&mut writer);
        let clock = Arc::new(Clock::start(&mut writer, boot)?);
        let readers = Pool::builder()
            .max_size(READERS)
            .connection_timeout(READER_WAIT)
            // A file at hand does not hang up.
            .test_on_check_out(false)
            .connection_customizer(Box::new(SetPragmas))
            .build(ConnectionManager::new(url))?;
        Ok(Self { writer: Arc::new(Mutex::new(writer)), readers, changed: watch::Sender::new(()), clock })
    }

    /// Tells of every commit.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Takes room anew when rows have used it up.
    pub async fn keep_room(&self) -> StoreResult<()> {
        let writer = self.writer.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let mut connection = writer.lock().unwrap_or_else(PoisonError::into_inner);
            if room(&mut connection)? < LEAST_ROOM {
                keep_room(&mut connection);
            }
            Ok(())
        });
        kept.await?
    }

    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut SqliteConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let writer = self.writer.clone();
        let result = tokio::task::spawn_blocking(move || {
            // A panic within a transaction has rolled it back: the connection is as good as before.
            let mut connection = writer.lock().unwrap_or_else(PoisonError::into_inner);
            connection.immediate_transaction(change)
        })
        .await??;
        self.changed.send_replace(());
        Ok(result)
    }

    /// Runs a question on one consistent view of the database.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut SqliteConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || readers.get()?.transaction(|connection| question(connection))).await?
    }
}

/// Makes both of the database's files longer than they need to be. On a full disk aborts, verdicts and deletions find
/// their place there, and what they end and remove makes room again.
fn keep_room(writer: &mut SqliteConnection) {
    if let Err(error) = take_room(writer) {
        tracing::warn!(%error, "the queue's database could not take the room that it needs on a full disk");
    }
}

fn take_room(writer: &mut SqliteConnection) -> diesel::QueryResult<()> {
    writer.batch_execute(FREE_ROOM)?;
    let taken = writer.batch_execute(TAKE_ROOM);
    writer.batch_execute(FREE_ROOM)?;
    taken
}

#[derive(QueryableByName)]
struct Room {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// What the database's file has of room for new rows.
fn room(connection: &mut SqliteConnection) -> diesel::QueryResult<i64> {
    let question = "SELECT freelist_count * page_size AS bytes FROM pragma_freelist_count, pragma_page_size";
    Ok(diesel::sql_query(question).get_result::<Room>(connection)?.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_that_rows_have_used_up_is_taken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("runner.db")).unwrap();
        let room = || room(&mut store.writer.lock().unwrap()).unwrap();
        let use_up = "CREATE TABLE rows (text BLOB); INSERT INTO rows VALUES (zeroblob(8500000));";
        assert!(room() > LEAST_ROOM);
        store.writer.lock().unwrap().batch_execute(use_up).unwrap();
        assert_eq!(room(), 0);
        store.keep_room().await.unwrap();
        assert!(room() > LEAST_ROOM, "{}", room());
        let before = room();
        store.keep_room().await.unwrap();
        assert_eq!(room(), before);
    }
}
