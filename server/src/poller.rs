//! Keeps job store and remote servers in agreement: per environment a loop around an idempotent `tick`,
//! and one each for fetching files and for clean-ups, which may take long.
//! The only caller that changes anything at a remote server; what it has to do stands in the store.

mod abandoned;
mod ask;
mod cleanup;
mod feed;
mod files;
mod finish;
mod lanes;
mod mirror;
mod outcome;
mod steps;
mod tick;

pub use cleanup::clean;
pub use files::fetch_files;
pub use finish::Marks;
pub use lanes::Lanes;
pub use tick::{Report, Round, tick};

use crate::bell::Bell;
use crate::config::EnvironmentConfig;
use crate::lifecycle::Limits;
use crate::logs::LogStore;
use crate::remote::Remote;
use crate::store::jobs::{self, Lane};
use crate::store::{Store, StoreError};
use feed::Feed;
use lanes::PATIENCE;
use protocol::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a job is asked about that somebody is looking at: the page's own polling interval.
const LOOKED_AT_INTERVAL: Duration = Duration::from_secs(5);
/// Between two plain rounds while the changes feed works: the feed does not report queues that the server forgot.
const ROUND_BESIDE_FEED: Duration = Duration::from_mins(5);
/// How often a server that can't be reached is tried, so that what waits is sent soon after it is back.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// Shortest time from one tick to the next that comes only because somebody began to look.
const LOOK_PACE: Duration = Duration::from_secs(1);
/// Between two passes over jobs that are due already.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// Pause after a tick that the store failed; its cause is logged.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// Everything that one environment's loop needs. Cheap to clone.
pub struct Poller<R> {
    pub store: Store,
    pub logs: LogStore,
    pub bell: Bell,
    /// Under which the changes feed is asked; calls about a job carry the job's own.
    pub instance: Arc<str>,
    pub environment: Arc<EnvironmentConfig>,
    pub poll_interval: Duration,
    pub remote: Arc<R>,
    pub lanes: Arc<Lanes>,
    /// How far the last look at each ended job's logs and results has come.
    pub marks: Arc<Marks>,
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
}

/// Runs a loop per environment and lane until `shutdown`; returns early only if a loop broke, which must end the process.
///
/// # Errors
/// The loop that broke, by its panic.
pub async fn run<R: Remote>(
    pollers: Vec<Arc<Poller<R>>>,
    shutdown: CancellationToken,
) -> Result<(), tokio::task::JoinError> {
    let mut loops = JoinSet::new();
    for poller in &pollers {
        loops.spawn(run_lane(Arc::clone(poller), Lane::Files, shutdown.clone()));
        loops.spawn(run_lane(Arc::clone(poller), Lane::Shell, shutdown.clone()));
        loops.spawn(run_environment(Arc::clone(poller), shutdown.clone()));
    }
    // Without environments there is nothing to poll, which is no reason to end.
    if loops.is_empty() {
        shutdown.cancelled().await;
    }
    while let Some(ended) = loops.join_next().await {
        ended?;
    }
    for poller in pollers {
        poller.lanes.ended().await;
    }
    Ok(())
}

async fn run_environment<R: Remote>(poller: Arc<Poller<R>>, shutdown: CancellationToken) {
    let mut work = poller.bell.listen_for_work();
    let mut looks = poller.bell.listen_for_looks(poller.name());
    let mut feed = Feed::default();
    let mut next_round = Timestamp::now();
    while !shutdown.is_cancelled() {
        let (now, ticked_at) = (Timestamp::now(), Instant::now());
        let round = if next_round <= now { Round::All } else { Round::Due };
        let wake_at = match tick(&poller, round, now).await {
            Ok(report) => {
                if round == Round::All || !report.reachable {
                    let pause = match report {
                        Report { reachable: false, .. } => PROBE_INTERVAL,
                        // Beside a feed it would be long until the next one.
                        Report { is_whole: false, .. } => poller.poll_interval,
                        _ => poller.round_interval(&feed),
                    };
                    next_round = now.plus(pause);
                }
                feed.follow(&poller, report.has_feed, now);
                wake_at(&poller, report.reachable, next_round).await
            }
            Err(error) => {
                tracing::error!(environment = poller.name(), %error, "poller.tick failed for {}", poller.name());
                Timestamp::now().plus(STORE_RETRY)
            }
        };
        let pause = wake_at.since(Timestamp::now());
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
            _ = work.changed() => {}
            () = poller.lanes.woken(Lane::Queue) => {}
            () = first_of(&mut looks, ticked_at) => {}
            news = feed.next() => {
                if feed::take(&poller, news).await {
                    next_round = Timestamp::now();
                }
            }
        }
    }
}

/// The loop around the passes of one of the lanes that may take long.
async fn run_lane<R: Remote>(poller: Arc<Poller<R>>, lane: Lane, shutdown: CancellationToken) {
    let mut work = poller.bell.listen_for_work();
    while !shutdown.is_cancelled() {
        let now = Timestamp::now();
        let passed = match lane {
            Lane::Shell => clean(&poller, now).await.map(|()| true),
            _ => fetch_files(&poller, now).await,
        };
        let wake_at = match passed {
            Ok(true) => next_due(&poller, lane, Timestamp::now().plus(poller.poll_interval)).await,
            // What is due waits until the server is back, of which the environment's loop tells.
            Ok(false) => Timestamp::now().plus(poller.poll_interval),
            Err(error) => {
                tracing::error!(environment = poller.name(), ?lane, %error, "poller.lane failed for {}", poller.name());
                Timestamp::now().plus(STORE_RETRY)
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(wake_at.since(Timestamp::now())) => {}
            () = poller.lanes.woken(lane) => {}
            _ = work.changed() => {}
        }
    }
}

/// Waits until somebody begins to look at a job; not sooner than a pace after the last tick, so that many who begin
/// to look one after the other do not make us ask all the time.
async fn first_of(looks: &mut watch::Receiver<()>, ticked_at: Instant) {
    // Its sender lives as long as the bell.
    if looks.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep_until(ticked_at + LOOK_PACE).await;
}

/// When the next job is due in a lane, `latest` at the latest, and never at once: what could not be done, or is still
/// under way, must not spin.
async fn next_due<R: Remote>(poller: &Poller<R>, lane: Lane, latest: Timestamp) -> Timestamp {
    let environment = poller.name().to_owned();
    let due: Result<_, StoreError> = poller.store.read(move |c| jobs::earliest_due(c, &environment, lane)).await;
    let now = Timestamp::now();
    let due = match due {
        Ok(due) => due.unwrap_or(latest),
        Err(_) => now.plus(STORE_RETRY),
    };
    let pause = if poller.lanes.is_busy(lane) { PATIENCE } else { SHORTEST_PAUSE };
    due.max(now.plus(pause)).min(latest)
}

impl<R> Poller<R> {
    fn round_interval(&self, feed: &Feed) -> Duration {
        if feed.is_live() { ROUND_BESIDE_FEED.max(self.poll_interval) } else { self.poll_interval }
    }
}

/// When the loop has to wake by itself: the next round, or the next job that is due, or one that is looked at.
async fn wake_at<R: Remote>(poller: &Poller<R>, reachable: bool, next_round: Timestamp) -> Timestamp {
    // What is due at a server that can't be reached waits for the next probe.
    if !reachable {
        return next_round;
    }
    let next_due = next_due(poller, Lane::Queue, next_round).await;
    let now = Timestamp::now();
    let looked_at =
        if poller.bell.looked_at(poller.name(), now).is_empty() { next_round } else { now.plus(LOOKED_AT_INTERVAL) };
    looked_at.min(next_due)
}
