//! Calls and the transactions around them: alone, or many in one, which one sync of the disk makes durable together.

use super::failure::outage_behind;
use super::{AnyConnection, Outage, QueryResult, StoreError};
use diesel::Connection;
use diesel::connection::TransactionManager;
use diesel::result::Error as DieselError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

pub(super) type Transactions = <AnyConnection as Connection>::TransactionManager;

/// How a lane's threads run what they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Each query by itself.
    Plain,
    /// Each call in a transaction of its own, or up to so many calls in one.
    Transaction { group: usize },
}

/// What a call has come to; whether it holds is known only after the commit.
pub(super) struct Made {
    error: Option<Arc<DieselError>>,
    finish: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

/// A call of any type; it answers its caller by itself.
pub(super) type Work = Box<dyn FnOnce(Result<&mut AnyConnection, StoreError>) -> Option<Made> + Send>;

pub(super) fn work<T, F, A>(query: F, after: A, sender: oneshot::Sender<Result<T, StoreError>>) -> Work
where
    F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
    A: FnOnce(&T) + Send + 'static,
    T: Send + 'static,
{
    Box::new(move |connection| {
        // Who has gone away needs no answer, so failing to send one is no failure.
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => {
                let _ = sender.send(Err(error));
                return None;
            }
        };
        Some(match query(connection) {
            Ok(value) => Made {
                error: None,
                finish: Box::new(move |committed| {
                    let answer = committed.map(|()| {
                        after(&value);
                        value
                    });
                    let _ = sender.send(answer);
                }),
            },
            Err(error) => {
                let error = Arc::new(error);
                let told = StoreError::Query(Arc::clone(&error));
                let finish = Box::new(move |outcome: Result<(), StoreError>| {
                    let _ = sender.send(Err(outcome.err().unwrap_or(told)));
                });
                Made { error: Some(error), finish }
            }
        })
    })
}

/// Each by itself; what kept the database from working, if anything did.
pub(super) fn run_plain(connection: &mut AnyConnection, works: Vec<Work>) -> Option<Outage> {
    let mut outage = None;
    for work in works {
        let Some(made) = work(Ok(connection)) else { continue };
        let trouble = made.error.as_deref().and_then(|error| trouble(connection, error));
        outage = trouble.as_ref().and_then(StoreError::outage).or(outage);
        (made.finish)(trouble.map_or(Ok(()), Err));
    }
    outage
}

/// All in one transaction, so that one sync of the disk makes all of them durable. Each can fail by itself; where the
/// database fails, all do. `writes` counts before anybody hears of it, and also what may have been written.
pub(super) fn run_together(connection: &mut AnyConnection, works: Vec<Work>, writes: &AtomicU64) -> Option<Outage> {
    let mut made = Vec::with_capacity(works.len());
    let mut works = works.into_iter();
    let committed = commit_together(connection, &mut works, &mut made);
    writes.fetch_add(1, Ordering::Release);
    for work in works {
        work(Err(committed.clone().err().unwrap_or(StoreError::Interrupted)));
    }
    let outage = committed.as_ref().err().and_then(StoreError::outage);
    for one in made {
        (one.finish)(committed.clone());
    }
    outage
}

fn commit_together(
    connection: &mut AnyConnection,
    works: &mut std::vec::IntoIter<Work>,
    made: &mut Vec<Made>,
) -> Result<(), StoreError> {
    let is_alone = works.len() == 1;
    Transactions::begin_transaction(connection).map_err(|error| failed(connection, error))?;
    let mut all = Ok(());
    for work in works.by_ref() {
        all = if is_alone { run_alone(connection, work, made) } else { run_apart(connection, work, made) };
        if all.is_err() {
            break;
        }
    }
    if is_alone && made.iter().any(|one| one.error.is_some()) || all.is_err() {
        // One that the database has rolled back already breaks its connection, which is given up for it.
        let _ = Transactions::rollback_transaction(connection);
        return all;
    }
    Transactions::commit_transaction(connection).map_err(|error| failed(connection, error))
}

/// The only one in its transaction.
fn run_alone(connection: &mut AnyConnection, work: Work, made: &mut Vec<Made>) -> Result<(), StoreError> {
    let Some(one) = work(Ok(connection)) else { return Ok(()) };
    let trouble = one.error.as_deref().and_then(|error| trouble(connection, error));
    made.push(one);
    trouble.map_or(Ok(()), Err)
}

/// One of several: what it does is undone alone if it fails.
fn run_apart(connection: &mut AnyConnection, work: Work, made: &mut Vec<Made>) -> Result<(), StoreError> {
    if let Err(error) = Transactions::begin_transaction(connection) {
        let error = failed(connection, error);
        work(Err(error.clone()));
        return Err(error);
    }
    let before = made.len();
    run_alone(connection, work, made)?;
    let has_failed = made.get(before).is_some_and(|one| one.error.is_some());
    let ended = if has_failed {
        Transactions::rollback_transaction(connection)
    } else {
        Transactions::commit_transaction(connection)
    };
    ended.map_err(|error| failed(connection, error))
}

/// The database's own trouble behind a query's error, if there is any.
fn trouble(connection: &mut AnyConnection, error: &DieselError) -> Option<StoreError> {
    outage_behind(connection, error).map(|outage| StoreError::unavailable(outage, error))
}

fn failed(connection: &mut AnyConnection, error: DieselError) -> StoreError {
    trouble(connection, &error).unwrap_or_else(|| StoreError::Query(Arc::new(error)))
}
