//! The job store: everything durable but log and result files, in SQLite or PostgreSQL.
//! Queries are plain functions on a connection, one file per table; `Store` runs them off the async threads.

pub mod audit;
pub mod connection;
pub mod environments;
pub mod idempotency;
pub mod jobs;
pub mod leases;
pub mod listing;
pub mod oidc;
pub mod rights;
pub mod runs;
pub mod schema;
pub mod sessions;
pub mod ssh_status;
pub mod tasks;
pub mod tokens;
pub mod tombstones;
pub mod users;
mod values;

pub use connection::{AnyConnection, DatabaseUrl};

use connection::Manager;
use diesel::Connection;
use diesel::r2d2::Pool;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached or is overloaded: try again.
    #[error("the database can't be reached: {0}")]
    Unavailable(#[source] diesel::r2d2::PoolError),
    #[error("the database refused a query: {0}")]
    Query(#[from] DieselError),
    #[error("the database could not be brought up to date: {0}")]
    Migration(String),
    #[error("a database call was cut off: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl StoreError {
    /// Nothing is wrong with the query: the database is away or overloaded, and later it may work.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Query(DieselError::BrokenTransactionManager) => true,
            Self::Query(DieselError::DatabaseError(kind, info)) => {
                matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand)
                    || info.message() == "database is locked"
            }
            _ => false,
        }
    }

    /// Somebody else has inserted the same key first.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Query(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)))
    }
}

pub type QueryError = DieselError;
pub type QueryResult<T> = Result<T, DieselError>;

/// Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub struct Store {
    pool: Pool<Manager>,
    /// `SQLite` has one writer at a time and does not queue fairly, so writers take turns here; `PostgreSQL` needs no turns.
    writers: Arc<Semaphore>,
}

impl Store {
    /// Opens the database without touching it yet.
    pub fn open(url: &DatabaseUrl) -> Self {
        let writers = match url {
            DatabaseUrl::Sqlite(_) => 1,
            DatabaseUrl::Postgres(_) => Semaphore::MAX_PERMITS,
        };
        Self { pool: connection::open_pool(url), writers: Arc::new(Semaphore::new(writers)) }
    }

    /// Brings the schema up to date.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let pool = self.pool.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = pool.get().map_err(StoreError::Unavailable)?;
            connection::migrate(&mut connection).map_err(|error| StoreError::Migration(error.to_string()))
        })
        .await?
    }

    /// Runs queries that change nothing.
    pub async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let pool = self.pool.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = pool.get().map_err(StoreError::Unavailable)?;
            query(&mut connection).map_err(StoreError::from)
        })
        .await?
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        use diesel::RunQueryDsl;
        self.read(|connection| diesel::sql_query("SELECT 1").execute(connection).map(drop)).await
    }

    /// Runs queries in one transaction, which must begin with a write: on SQLite a transaction that read first
    /// and writes after another writer fails at once, whatever the timeout.
    pub async fn write<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let writers = Arc::clone(&self.writers);
        let pool = self.pool.clone();
        // The turn belongs to the blocking work, not to the caller, who may stop waiting at any moment.
        let turn = writers.acquire_owned().await.ok();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut pooled = pool.get().map_err(StoreError::Unavailable)?;
            let connection: &mut AnyConnection = &mut pooled;
            connection.transaction(query).map_err(StoreError::from)
        })
        .await?
    }
}

/// Takes the next id of a kind. Call it first in a transaction: it is the write that the transaction starts with.
pub(crate) fn next_id(connection: &mut AnyConnection, counter: &str) -> QueryResult<i64> {
    use diesel::prelude::*;
    use schema::counters;

    let row = counters::table.filter(counters::name.eq(counter));
    diesel::update(row).set(counters::value.eq(counters::value + 1)).execute(connection)?;
    counters::table.filter(counters::name.eq(counter)).select(counters::value).first(connection)
}
