//! The loop of a lane whose jobs need few and short calls: some at once, the most urgent first, and none waits for a slow
//! one. What is to be sent goes in the order of submission, each after the answer to the one before it.

use super::lanes::{JOBS_AT_ONCE, PATIENCE, UnderWay, broken, set_aside};
use super::{Poller, STORE_RETRY, steps, until};
use crate::lifecycle::next_step;
use crate::remote::Remote;
use crate::store::StoreError;
use crate::store::jobs::{self, Job, Lane};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A submission without an answer holds up the next one for so long, by the contract.
const SEND_PATIENCE: Duration = Duration::from_secs(3);
/// Most jobs that are looked through at once for what needs no word of a server that is away; the next look goes on behind
/// them, after the pause.
const LOCAL_PER_LOOK: i64 = 500;
const LOCAL_LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at the store while other processes may write into it: they ring a bell of their own.
const SHARED_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Until `term` ends.
pub(super) async fn run<R: Remote>(poller: Arc<Poller<R>>, lane: Lane, term: CancellationToken) {
    let mut work = poller.bell.listen_for_work();
    let mut turns =
        Line { poller: Arc::clone(&poller), lane, running: JoinSet::new(), started_at: None, looked_at: None };
    while !term.is_cancelled() {
        let wake_at = turns.fill().await.unwrap_or_else(|error| {
            tracing::error!(environment = poller.name(), %lane, %error, "poller.line failed for {}", poller.name());
            Instant::now() + STORE_RETRY
        });
        tokio::select! {
            biased;
            () = term.cancelled() => {}
            Some(ended) = turns.running.join_next() => see_off(ended),
            () = poller.lanes.woken(lane) => {}
            _ = work.changed() => {}
            () = tokio::time::sleep_until(wake_at) => {}
        }
    }
    // What answers soon needs not be asked again. Whatever is cut off is looked at by whoever polls next, who may be this
    // process, and then nothing is asked before.
    let until = Instant::now() + PATIENCE;
    while let Ok(Some(ended)) = tokio::time::timeout_at(until, turns.running.join_next()).await {
        see_off(ended);
    }
    turns.running.shutdown().await;
}

/// The loop's work without its waiting: takes up what is due in a lane, and sees it through.
pub async fn pass<R: Remote>(poller: &Arc<Poller<R>>, lane: Lane) -> Result<(), StoreError> {
    let mut turns =
        Line { poller: Arc::clone(poller), lane, running: JoinSet::new(), started_at: None, looked_at: None };
    loop {
        turns.fill().await?;
        match tokio::time::timeout(PATIENCE, turns.running.join_next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(ended)) => see_off(ended),
            Err(_) => {
                turns.running.detach_all();
                return Ok(());
            }
        }
    }
}

fn see_off(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        broken(error);
    }
}

struct Line<R> {
    poller: Arc<Poller<R>>,
    lane: Lane,
    running: JoinSet<()>,
    /// When the newest of them began.
    started_at: Option<Instant>,
    /// The last job that was looked through while the server is away, unless none was behind it.
    looked_at: Option<Job>,
}

impl<R: Remote> Line<R> {
    /// Starts what is due, as far as there are turns; when to look again.
    async fn fill(&mut self) -> Result<Instant, StoreError> {
        let free = JOBS_AT_ONCE.saturating_sub(self.running.len());
        if free == 0 {
            return Ok(self.latest());
        }
        if let Some(turn_at) = self.next_turn() {
            return Ok(turn_at);
        }
        // Clean-ups go over SSH.
        if self.poller.breaker.is_open() && self.lane != Lane::Shell {
            return self.fill_while_away(free).await;
        }
        let found = self.find_due(if self.lane == Lane::Send { 1 } else { free }).await?;
        let is_full = found.len() >= free || self.lane == Lane::Send && !found.is_empty();
        for job in found {
            self.start(job);
        }
        if let Some(turn_at) = self.next_turn() {
            return Ok(turn_at);
        }
        // Those that are under way tell when they have ended.
        if is_full { Ok(self.latest()) } else { self.next_due().await }
    }

    /// Only what needs no word of the server, and one call each few seconds that finds out whether it is back.
    async fn fill_while_away(&mut self, free: usize) -> Result<Instant, StoreError> {
        let (limits, now) = (self.poller.limits(), self.poller.clock.now());
        let found = match self.looked_at.take() {
            Some(last) => self.find_due_behind(last).await?,
            None => self.find_due(LOCAL_PER_LOOK).await?,
        };
        let mut wake_at = self.latest();
        let has_more = i64::try_from(found.len()).is_ok_and(|found| found >= LOCAL_PER_LOOK);
        let last = found.last().filter(|_| has_more).cloned();
        let mut left = free;
        let under_way = self.poller.lanes.under_way(self.lane);
        for job in found.into_iter().filter(|job| !under_way.contains(&job.id)) {
            if left == 0 {
                // What is due first comes first again.
                return Ok(self.latest());
            }
            let is_local =
                next_step(&job, &limits, now).is_local() || steps::given_up_while_away(&self.poller, &job).is_some();
            let may_start = is_local || {
                let allowed = self.poller.breaker.may_call();
                wake_at = allowed.err().map_or(wake_at, |probe_at| wake_at.min(probe_at));
                allowed.is_ok()
            };
            if may_start {
                left -= 1;
                self.start(job);
            }
        }
        if last.is_some() {
            self.looked_at = last;
            wake_at = wake_at.min(Instant::now() + LOCAL_LOOK_PAUSE);
        }
        Ok(wake_at)
    }

    /// When the next submission may begin, if not now.
    fn next_turn(&self) -> Option<Instant> {
        let started_at = self.started_at.filter(|_| self.lane == Lane::Send && !self.running.is_empty())?;
        let turn_at = started_at + SEND_PATIENCE;
        (turn_at > Instant::now()).then_some(turn_at)
    }

    async fn find_due(&self, limit: impl TryInto<i64>) -> Result<Vec<Job>, StoreError> {
        let (name, lane, now) = (self.poller.name().to_owned(), self.lane, self.poller.clock.now());
        let under_way = self.poller.lanes.under_way(lane);
        let limit = limit.try_into().unwrap_or(i64::MAX);
        self.poller.store.read(move |c| jobs::list_due(c, &name, lane, now, &under_way, limit)).await
    }

    async fn find_due_behind(&self, last: Job) -> Result<Vec<Job>, StoreError> {
        let (name, lane, now) = (self.poller.name().to_owned(), self.lane, self.poller.clock.now());
        let read = move |c: &mut _| jobs::list_due_behind(c, &name, lane, now, &last, LOCAL_PER_LOOK);
        self.poller.store.read(read).await
    }

    fn start(&mut self, job: Job) {
        let Some(under_way) = UnderWay::begin(&self.poller.lanes, self.lane, job.id) else { return };
        let (poller, lane) = (Arc::clone(&self.poller), self.lane);
        self.started_at = Some(Instant::now());
        self.running.spawn(async move {
            see_through(&poller, lane, job).await;
            drop(under_way);
        });
    }

    async fn next_due(&self) -> Result<Instant, StoreError> {
        let (name, lane) = (self.poller.name().to_owned(), self.lane);
        let under_way = !self.running.is_empty();
        let due = self.poller.store.read(move |c| jobs::earliest_due(c, &name, lane)).await?;
        let Some(due) = due else { return Ok(self.latest()) };
        let pause = until(due, self.poller.clock.now(), &self.poller);
        // What is due already is under way; its end wakes us.
        if pause.is_zero() && under_way {
            return Ok(self.latest());
        }
        Ok((Instant::now() + pause).min(self.latest()))
    }

    fn latest(&self) -> Instant {
        let pause = if self.poller.lease.is_shared() { SHARED_LOOK_INTERVAL } else { self.poller.poll_interval };
        Instant::now() + pause
    }
}

async fn see_through<R: Remote>(poller: &Arc<Poller<R>>, lane: Lane, job: Job) {
    let id = job.id;
    let Err(error) = steps::advance(poller, job, lane).await else { return };
    tracing::error!(job = id.0, %error, "poller.job: job {id} failed in the store");
    if error.is_unavailable() {
        // The loop waits as everybody does for the store to come back.
        tokio::time::sleep(STORE_RETRY).await;
    }
    set_aside(poller, id, &error).await;
}
