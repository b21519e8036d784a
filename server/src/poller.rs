//! Keeps job store and remote servers in agreement: per environment some loops, each around an idempotent look at what
//! the store says is to be done. One process at a time runs them, the one that holds the environment's lease.
//! The only caller that changes anything at a remote server.

mod ask;
mod breaker;
mod calls;
mod chance;
mod feed;
mod files;
mod finish;
mod health;
mod identity;
mod in_a_row;
mod lanes;
mod last_look;
mod lease;
mod line;
mod marks;
mod mirror;
mod missing;
mod outcome;
mod own_clock;
mod removal;
mod result_files;
mod rounds;
mod steps;
mod sweep;
mod tombstones;

pub use breaker::Breaker;
pub use chance::Chance;
pub use lanes::Lanes;
pub use lease::Lease;
pub use marks::Marks;
pub use sweep::{SweepError, sweep};

/// What the loops do, once each, for whoever moves a poller by hand.
pub mod passes {
    pub use super::files::fetch_files;
    pub use super::health::look as look_at_health;
    pub use super::line::pass as work_off;
    pub use super::rounds::round as ask_about_all;
    pub use super::tombstones::advance as end_what_is_left;
}

pub use crate::clock::Clock;

use crate::bell::Bell;
use crate::config::EnvironmentConfig;
use crate::lifecycle::Limits;
use crate::logs::LogStore;
use crate::remote::Remote;
use crate::store::jobs::{self, Lane};
use crate::store::{AnyConnection, Outage, QueryError, QueryResult, Store, StoreError, leases};
use lanes::Errand;
use protocol::Timestamp;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Between two passes over jobs that are due already.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// Pause after the store failed; its cause is logged.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// Everything that one environment's loops need.
pub struct Poller<R> {
    pub store: Store,
    pub logs: LogStore,
    pub bell: Bell,
    /// Under which the changes feed is asked; calls about a job carry the job's own.
    pub instance: Arc<str>,
    pub environment: Arc<EnvironmentConfig>,
    pub poll_interval: Duration,
    pub remote: Arc<R>,
    pub clock: Clock,
    pub chance: Chance,
    pub lanes: Arc<Lanes>,
    /// How far the last look at each ended job's logs and results has come.
    pub marks: Arc<Marks>,
    pub breaker: Breaker,
    pub lease: Lease,
    pub signals: Signals,
}

/// What the loops of an environment tell each other.
#[derive(Default)]
pub struct Signals {
    health: health::Signals,
    rounds: rounds::Signals,
    words: tombstones::Words,
}

impl<R> Poller<R> {
    fn limits(&self) -> Limits {
        Limits {
            waiting_timeout: self.environment.waiting_timeout,
            cleanup_give_up: self.environment.cleanup_give_up,
            retry_max_interval: self.environment.retry_max_interval,
            remote_retention: self.environment.remote_retention,
        }
    }

    fn name(&self) -> &str {
        &self.environment.name
    }

    /// At the start of a term: what was heard in an earlier one is nothing that has just been said.
    fn forget_all(&self) {
        self.signals.health.forget_all();
        self.signals.rounds.forget_all();
        self.signals.words.forget_all();
        self.marks.forget_all();
    }

    /// Saves under the lease: what another process has taken over is not written any more.
    async fn write<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.write_then(query, |_| ()).await
    }

    /// Like `write`; `after` runs as soon as what was written holds.
    async fn write_then<T, F, A>(&self, query: F, after: A) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
        T: Send + 'static,
    {
        if self.clock.doubt().is_some() {
            return Err(StoreError::unavailable(Outage::Busy, &"what was noted by another clock is being moved"));
        }
        self.write_in_doubt(query, after).await
    }

    /// The same, also while nobody knows by which clock what stands in the store was noted.
    async fn write_in_doubt<T, F, A>(&self, query: F, after: A) -> Result<T, StoreError>
    where
        F: FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static,
        A: FnOnce(&T) + Send + 'static,
        T: Send + 'static,
    {
        let (name, fence) = (self.name().to_owned(), self.lease.fence());
        let fenced = move |connection: &mut AnyConnection| {
            let done = query(connection)?;
            if leases::is_newest_fence(connection, &name, fence)? {
                Ok(done)
            } else {
                Err(QueryError::RollbackTransaction)
            }
        };
        self.store.write_then(fenced, after).await
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls every environment until `shutdown`; returns early only if a loop broke, which must end the process.
///
/// # Errors
/// The loop that broke, by its panic.
pub async fn run<R: Remote>(pollers: Vec<Arc<Poller<R>>>, shutdown: CancellationToken) -> Result<(), JoinError> {
    let mut environments = JoinSet::new();
    for poller in &pollers {
        environments.spawn(run_environment(Arc::clone(poller), shutdown.clone()));
    }
    // Without environments there is nothing to poll, which is no reason to end.
    if environments.is_empty() {
        shutdown.cancelled().await;
    }
    while let Some(ended) = environments.join_next().await {
        ended??;
    }
    Ok(())
}

/// Term after term, each for as long as this process holds the lease.
async fn run_environment<R: Remote>(poller: Arc<Poller<R>>, shutdown: CancellationToken) -> Result<(), JoinError> {
    let mut last_fence = poller.lease.fence();
    while poller.lease.acquire(&poller.store, &shutdown).await {
        let fence = poller.lease.fence();
        if fence == last_fence.saturating_add(1) {
            // Nobody else has held it meanwhile.
            own_clock::follow_clock(&poller).await;
        } else {
            // What was noted by another process was not noted by this clock.
            poller.clock.follow();
        }
        last_fence = fence;
        let term = shutdown.child_token();
        let served = serve_term(&poller, &term).await;
        poller.lease.give_back(&poller.store).await;
        served?;
    }
    Ok(())
}

async fn serve_term<R: Remote>(poller: &Arc<Poller<R>>, term: &CancellationToken) -> Result<(), JoinError> {
    if let Err(error) = forget_pauses(poller).await {
        tracing::error!(environment = poller.name(), %error, "poller: pauses of {} could not be ended", poller.name());
        // The next term begins with it again.
        tokio::time::sleep(STORE_RETRY).await;
        return Ok(());
    }
    poller.forget_all();
    poller.lanes.serve(term);
    let mut loops = JoinSet::new();
    for lane in [Lane::Send, Lane::Act, Lane::Ask, Lane::Shell] {
        spawn(&mut loops, poller, term, move |poller, term| line::run(poller, lane, term));
    }
    for errand in [Errand::Follow, Errand::Finish] {
        spawn(&mut loops, poller, term, move |poller, term| files::run(poller, errand, term));
    }
    spawn(&mut loops, poller, term, health::run);
    spawn(&mut loops, poller, term, rounds::run);
    spawn(&mut loops, poller, term, rounds::run_looks);
    spawn(&mut loops, poller, term, feed::run);
    spawn(&mut loops, poller, term, tombstones::run);
    let keeping = poller.lease.keep(&poller.store, term);
    let watching = async {
        let mut outcome = Ok(());
        while let Some(ended) = loops.join_next().await {
            if outcome.is_ok() && ended.is_err() {
                outcome = ended;
            }
            // One loop that ends takes the others with it.
            term.cancel();
        }
        outcome
    };
    let (outcome, ()) = tokio::join!(watching, keeping);
    poller.lanes.ended().await;
    outcome
}

fn spawn<R: Remote, F>(
    loops: &mut JoinSet<()>,
    poller: &Arc<Poller<R>>,
    term: &CancellationToken,
    run: impl FnOnce(Arc<Poller<R>>, CancellationToken) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loops.spawn(run(Arc::clone(poller), term.clone()));
}

/// What failed before this process began is tried at once, and nothing waits for a moment that another clock has set.
async fn forget_pauses<R: Remote>(poller: &Poller<R>) -> Result<(), StoreError> {
    let (name, now) = (poller.name().to_owned(), poller.clock.now());
    let forget = move |c: &mut AnyConnection| {
        jobs::forget_unknown(c, &name)?;
        jobs::forget_pauses(c, &name, &Lane::ALL, now)?;
        jobs::end_waits(c, &name, now)?;
        crate::store::tombstones::end_waits(c, &name, now)
    };
    poller.write(forget).await
}

/// How long until a moment. One further away than any pause may be was set under a clock that has been put back since.
fn until<R>(due: Timestamp, now: Timestamp, poller: &Poller<R>) -> Duration {
    due.since(now).min(poller.poll_interval)
}
