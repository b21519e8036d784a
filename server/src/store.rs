//! The job store: everything durable but log and result files, in SQLite or PostgreSQL.
//! Queries are plain functions on a connection, one file per table; `Store` runs them off the async threads.

pub mod audit;
mod connection;
mod connector;
pub mod environments;
mod failure;
mod group;
mod held;
pub mod idempotency;
pub mod installation;
pub mod jobs;
pub mod leases;
pub mod listing;
pub mod migrations;
pub mod oidc;
mod pooler;
mod postgres;
mod prepared;
mod probe;
pub mod rights;
pub mod runs;
pub mod schema;
pub mod sessions;
mod sqlite;
pub mod ssh_status;
pub mod tasks;
pub mod tokens;
pub mod tombstones;
pub mod users;
mod values;
mod workers;

pub use connection::{AnyConnection, DatabaseUrl};
pub use failure::{Outage, StoreError};

use crate::inline::Inline;
use crate::together::Together;
use connection::on_own;
use connector::Connector;
use diesel::result::Error as DieselError;
use group::{Mode, work};
use held::Held;
use prepared::Prepared;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use workers::Lane;

pub type QueryError = DieselError;
pub type QueryResult<T> = Result<T, DieselError>;

/// Readers of `SQLite`, which reads from memory for the most part: a thread for each core, within reason.
const SQLITE_READERS: (usize, usize) = (2, 4);
/// Connections to `PostgreSQL`, opened as they are needed: for those who read, and for those who write.
const POSTGRES_READERS: usize = 6;
const POSTGRES_WRITERS: usize = 4;
/// Writes that one sync of the disk makes durable together: enough for all callers of a busy server at once, and few
/// enough that the first of them does not wait for long.
const GROUP: usize = 128;
/// How often what was committed moves from `SQLite`'s write-ahead log into the database.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);
/// Sign-ins and tokens that begin later than so from now were made by a clock that was wrong.
const MOST_AHEAD: Duration = Duration::from_hours(24);

/// Cheap to clone; all clones share the same threads and connections.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    connector: Arc<Connector>,
    place: Place,
    marks: Together<(), Result<Mark, StoreError>>,
    /// The last write failed because of the database, so whether it works again is found out by a write.
    has_trouble: AtomicBool,
    /// Ends the tidying when it is dropped.
    _tidying: Option<Sender<()>>,
}

/// Where queries run.
enum Place {
    Threads {
        readers: Lane,
        writers: Lane,
    },
    /// On the caller's thread, one after the other: for a simulation, whose every run has to be the same.
    Here {
        held: Box<Mutex<Held>>,
        inline: Inline,
    },
}

/// How far the writing has come: as long as it stays the same, so does what a look finds. It never comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// How many writes of ours there have been, where nobody else writes.
    Writes(u64),
    /// Which transactions can be seen, of all servers.
    Snapshot(Arc<[u8]>),
}

/// How busy the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub reading: usize,
    pub writing: usize,
    pub waiting: usize,
}

impl Store {
    /// Opens the database without touching it yet.
    pub fn open(url: &DatabaseUrl) -> Self {
        let connector = Arc::new(Connector::new(url.clone()));
        let (least, most) = SQLITE_READERS;
        let cores = std::thread::available_parallelism().map_or(least, usize::from);
        // SQLite has one writer at a time; PostgreSQL's make one sync of several commits by themselves.
        let (readers, writers, group) = match url {
            DatabaseUrl::Sqlite(_) => (cores.clamp(least, most), 1, GROUP),
            DatabaseUrl::Postgres(_) => (POSTGRES_READERS, POSTGRES_WRITERS, 1),
        };
        let place = Place::Threads {
            readers: Lane::start("db-read", readers, Mode::Plain, &connector),
            writers: Lane::start("db-write", writers, Mode::Transaction { group }, &connector),
        };
        let tidying = connector.is_sqlite().then(|| keep_tidy(Arc::clone(&connector)));
        Self::from_parts(connector, place, tidying)
    }

    /// A store without threads: each query runs where it is asked for, and is done or not when its caller goes.
    pub fn open_here(url: &DatabaseUrl, inline: Inline) -> Self {
        let connector = Arc::new(Connector::new(url.clone()));
        let place = Place::Here { held: Box::new(Mutex::new(Held::new(Arc::clone(&connector)))), inline };
        Self::from_parts(connector, place, None)
    }

    fn from_parts(connector: Arc<Connector>, place: Place, tidying: Option<Sender<()>>) -> Self {
        let (marks, has_trouble) = (Together::default(), AtomicBool::new(false));
        Self(Arc::new(Inner { connector, place, marks, has_trouble, _tidying: tidying }))
    }

    /// Brings the schema up to date, and finds out what database it is.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let connector = Arc::clone(&self.0.connector);
        let migrate = move || {
            let mut connection = connector.connect().map_err(|error| StoreError::not_connected(&error))?;
            connector.look_at(&mut connection).map_err(|error| StoreError::Query(Arc::new(error)))?;
            migrations::migrate(&mut connection).map_err(|error| StoreError::Migration(error.to_string()))
        };
        match self.0.place {
            Place::Here { .. } => migrate(),
            Place::Threads { .. } => tokio::task::spawn_blocking(migrate).await.unwrap_or(Err(StoreError::Interrupted)),
        }
    }

    /// Runs queries that change nothing.
    pub async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        T: Send + 'static,
    {
        match &self.0.place {
            Place::Threads { readers, .. } => readers.call(query, |_| ()).await,
            Place::Here { held, inline } => inline.run(|| run_here(held, inline, Mode::Plain, query, |_| ())).await,
        }
    }

    /// Whether the database answers, and takes writes.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if self.0.has_trouble.load(Ordering::Relaxed) {
            return self.write(probe::try_to_write).await;
        }
        if self.read(probe::takes_writes).await? {
            return Ok(());
        }
        self.0.connector.give_up_all();
        Err(StoreError::unavailable(Outage::ReadOnly, &"the server is a standby"))
    }

    /// Runs queries in one transaction, which must begin with a write: on SQLite a transaction that read first
    /// and writes after another writer fails at once, whatever the timeout.
    pub async fn write<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.write_then(query, |_| ()).await
    }

    /// Like `write`; `after` runs once what was written holds, also when the caller has stopped waiting by then:
    /// whoever hangs up must not keep others from hearing of it.
    pub async fn write_then<T, F, A>(&self, query: F, after: A) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
        T: Send + 'static,
    {
        let written = match &self.0.place {
            Place::Threads { writers, .. } => writers.call(query, after).await,
            Place::Here { held, inline } => {
                let is_heard = !inline.loses_answer();
                let after = move |value: &T| {
                    if is_heard {
                        after(value);
                    }
                };
                let written = inline.run(|| run_here(held, inline, Mode::Transaction { group: 1 }, query, after)).await;
                let lost = StoreError::unavailable(Outage::Away, &"the answer to a commit was lost");
                if is_heard { written } else { written.and(Err(lost)) }
            }
        };
        let has_trouble = written.as_ref().is_err_and(StoreError::is_unavailable);
        self.0.has_trouble.store(has_trouble, Ordering::Relaxed);
        written
    }

    /// Where the writing stands. `PostgreSQL` is asked, since other servers write to it as well: once for all who come
    /// while it is being asked.
    pub async fn mark(&self) -> Result<Mark, StoreError> {
        if self.0.connector.is_sqlite() {
            return Ok(Mark::Writes(self.0.connector.writes().load(Ordering::Acquire)));
        }
        let store = self.clone();
        let question = move || {
            let store = store.clone();
            async move { store.read(probe::snapshot).await.map(|snapshot| Mark::Snapshot(snapshot.into())) }
        };
        self.0.marks.ask((), question).await.unwrap_or(Err(StoreError::Interrupted))
    }

    pub fn load(&self) -> Load {
        let Place::Threads { readers, writers } = &self.0.place else { return Load::default() };
        let ((reading, to_read), (writing, to_write)) = (readers.load(), writers.load());
        Load { reading, writing, waiting: to_read + to_write }
    }
}

fn run_here<T, F, A>(held: &Mutex<Held>, inline: &Inline, mode: Mode, query: F, after: A) -> Result<T, StoreError>
where
    F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
    A: FnOnce(&T) + Send + 'static,
    T: Send + 'static,
{
    if inline.is_away() {
        return Err(StoreError::unavailable(Outage::Away, &"it is away"));
    }
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    held.connect(mode)?;
    let (sender, mut answer) = oneshot::channel();
    held.perform(vec![work(query, after, sender)], mode);
    answer.try_recv().unwrap_or(Err(StoreError::Interrupted))
}

/// Tidies the write-ahead log now and then, on a thread and a connection of its own, until the sender is dropped.
fn keep_tidy(connector: Arc<Connector>) -> Sender<()> {
    let (sender, end) = channel();
    let tidy = move || {
        let mut held = Held::new(connector);
        while end.recv_timeout(TIDY_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            // Nothing is lost when it fails: a commit does it when the log has grown long.
            held.tidy();
        }
    };
    let started = std::thread::Builder::new().name("db-tidy".to_owned()).spawn(tidy);
    started.expect("a thread for the database could not be started");
    sender
}

/// The last moment, in milliseconds, at which what is believed of sign-ins and tokens may have begun.
fn latest_begin(now: protocol::Timestamp) -> i64 {
    now.plus(MOST_AHEAD).0
}

/// Takes the next id of a kind. Call it first in a transaction: it is the write that the transaction starts with.
pub(crate) fn next_id(connection: &mut AnyConnection, counter: &str) -> QueryResult<i64> {
    use diesel::prelude::*;
    use schema::counters;

    let row = counters::table.filter(counters::name.eq(counter.to_owned()));
    let next = Prepared(diesel::update(row).set(counters::value.eq(counters::value + 1)));
    on_own!(connection, |own| next.execute(own))?;
    let given = counters::table.filter(counters::name.eq(counter)).select(counters::value);
    on_own!(connection, |own| given.first(own))
}
