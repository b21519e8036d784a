//! How connections come about, and which of them are of no more use.

use super::{AnyConnection, DatabaseUrl, QueryResult, pooler, postgres, sqlite};
use diesel::connection::CacheSize;
use diesel::r2d2::R2D2Connection;
use diesel::{Connection, ConnectionError};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Of a database file that is no longer that which was opened.
pub(super) const MOVED_WORDS: &str = "the database file has been removed or replaced; put that file back, or stop the server, remove \
     the -wal and -shm beside it, which belong to the file that is gone, and start it again";

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
            postgres::limit_locks(postgres).map_err(ConnectionError::CouldntSetupConfiguration)?;
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
            AnyConnection::Sqlite(sqlite) => sqlite::warn_of_missing_options(sqlite),
            AnyConnection::Postgresql(postgres) => {
                postgres::warn_of_language(postgres)?;
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
