//! The plain rounds: every open job is asked about, however well the changes feed works, since a feed does not tell of
//! queues that the server forgot. And the looks in between at jobs that somebody is watching.
//! Rounds run on the monotonic clock: whatever is done to the machine's, they come.

use super::outcome::After;
use super::{Poller, STORE_RETRY, ask, lanes, locked};
use crate::lifecycle::Heard;
use crate::metrics::process;
use crate::remote::Remote;
use crate::store::environments;
use crate::store::jobs::{self, Job, Lane};
use crate::store::{AnyConnection, StoreError};
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::api::SyncState;
use protocol::{JobId, Timestamp};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two plain rounds while the changes feed works.
const ROUND_BESIDE_FEED: Duration = Duration::from_mins(5);
/// How often a job is asked about that somebody is looking at: the page's own polling interval.
const WATCHED_INTERVAL: Duration = Duration::from_secs(5);
/// Jobs read from the store at once.
const CHUNK: usize = 100;
/// A look that has not been answered for so long is left to itself.
const LOOK_PATIENCE: Duration = Duration::from_secs(3);
/// Shortest time from one look at watched jobs to the next, however many people begin to look.
const LOOK_PACE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Signals {
    round_wanted: Notify,
    look_wanted: Notify,
    feed_is_live: AtomicBool,
    /// Jobs that a round or a look is asking about; see `Asking`.
    asked: Mutex<BTreeSet<JobId>>,
    /// Jobs of which the feed has said something that a plain question has to tell.
    odd: Mutex<BTreeSet<JobId>>,
    /// As of when all synced jobs were last noted to be known.
    fresh_at: Mutex<Option<Timestamp>>,
}

impl Signals {
    /// A round is to follow at once.
    pub(super) fn want_round(&self) {
        self.round_wanted.notify_one();
    }

    pub(super) fn want_look(&self, job: JobId) {
        locked(&self.odd).insert(job);
        self.look_wanted.notify_one();
    }

    /// Whether it was before.
    pub(super) fn feed_is_live(&self, is_live: bool) -> bool {
        self.feed_is_live.swap(is_live, Ordering::Relaxed)
    }

    /// Nothing that was heard before counts: another process may have polled in between.
    pub(super) fn forget_all(&self) {
        self.feed_is_live(false);
        locked(&self.odd).clear();
        self.forget_freshness();
    }

    /// It was noted by a clock that has been set since.
    pub(super) fn forget_freshness(&self) {
        *locked(&self.fresh_at) = None;
    }

    pub(super) fn fresh_at(&self) -> Option<Timestamp> {
        *locked(&self.fresh_at)
    }
}

/// What a question about a job has left, of several the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It is known to be as it stands here.
    Known,
    /// It says of itself that it is not known, and since when.
    Failing,
    /// It may be otherwise than it stands here.
    NotAsked,
}

/// A question about a job that a round or a look has under way, until this is dropped: who asks may be gone before the
/// answer is there.
struct Asking<'a> {
    asked: &'a Mutex<BTreeSet<JobId>>,
    id: JobId,
}

impl<'a> Asking<'a> {
    /// `None` while another question about the job is under way.
    fn begin(signals: &'a Signals, id: JobId) -> Option<Self> {
        let is_first = locked(&signals.asked).insert(id);
        is_first.then(|| Self { asked: &signals.asked, id })
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        locked(self.asked).remove(&self.id);
    }
}

/// Until `term` ends.
pub(super) async fn run<R: Remote>(poller: Arc<Poller<R>>, term: CancellationToken) {
    while !term.is_cancelled() {
        // Whoever polls next begins with a round of their own.
        let Some(asked) = term.run_until_cancelled(round(&poller)).await else { return };
        let is_whole = asked.unwrap_or_else(|error| {
            tracing::error!(environment = poller.name(), %error, "poller.round failed for {}", poller.name());
            false
        });
        // Beside a feed that tells of all of them it would be long until the next one.
        let is_rare =
            is_whole && poller.signals.rounds.feed_is_live.load(Ordering::Relaxed) && are_all_in_feed(&poller).await;
        let pause = if is_rare { ROUND_BESIDE_FEED.max(poller.poll_interval) } else { poller.poll_interval };
        tokio::select! {
            biased;
            () = term.cancelled() => {}
            () = poller.signals.rounds.round_wanted.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// A feed is one instance's: of open jobs that an earlier one made, before a restore, only the rounds tell.
async fn are_all_in_feed<R: Remote>(poller: &Poller<R>) -> bool {
    let (name, instance) = (poller.name().to_owned(), Arc::clone(&poller.instance));
    let found = poller.store.read(move |c| jobs::has_open_of_other_instance(c, &name, &instance)).await;
    found.is_ok_and(|has_others| !has_others)
}

/// Asks about every open job that is not in a pause of its own; whether the others are known to be as they stand here.
pub async fn round<R: Remote>(poller: &Arc<Poller<R>>) -> Result<bool, StoreError> {
    if poller.breaker.is_open() {
        return Ok(false);
    }
    let (name, began_at, started) = (poller.name().to_owned(), poller.clock.now(), Instant::now());
    let open = poller.store.read(move |c| jobs::list_open(c, &name)).await?;
    let worst = ask_all(poller, open).await?;
    process::poll_round(poller.name(), started.elapsed());
    // One job that fails makes those that answered no older.
    if worst != Outcome::NotAsked && !poller.breaker.is_open() {
        note_freshness(poller, began_at).await?;
    }
    Ok(worst != Outcome::NotAsked)
}

/// All of the environment's synced jobs are known to be as they stand here, as of `at`.
pub(super) async fn note_freshness<R: Remote>(poller: &Poller<R>, at: Timestamp) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    poller.write(move |c| environments::note_round(c, &name, at)).await?;
    *locked(&poller.signals.rounds.fresh_at) = Some(at);
    Ok(())
}

/// Asks about one of the open jobs, of the first ones that which is due next. While the server is away, the one call of each
/// interval is left to others where no job is open: what they have to send or delete may be all that tells of its return.
pub(super) async fn ask_any<R: Remote>(poller: &Poller<R>) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    let found = move |c: &mut AnyConnection| {
        let open = jobs::list_open(c, &name)?;
        let first = jobs::find_jobs(c, &open[..open.len().min(CHUNK)])?;
        Ok(first.into_iter().min_by_key(|job| (job.next_at.is_none(), job.next_at)))
    };
    if let Some(job) = poller.store.read(found).await?
        && poller.breaker.may_call().is_ok()
    {
        ask::ask(poller, &job, Heard::Asked).await?;
    }
    Ok(())
}

async fn ask_all<R: Remote>(poller: &Arc<Poller<R>>, ids: Vec<JobId>) -> Result<Outcome, StoreError> {
    let mut chunks = ids.chunks(CHUNK);
    let (mut found, mut under_way) = (VecDeque::new(), FuturesUnordered::new());
    let mut worst = Outcome::Known;
    loop {
        while under_way.len() < lanes::JOBS_AT_ONCE {
            if found.is_empty()
                && let Some(chunk) = chunks.next()
            {
                let chunk = chunk.to_vec();
                found.extend(poller.store.read(move |c| jobs::find_jobs(c, &chunk)).await?);
            }
            let Some(job) = found.pop_front() else { break };
            under_way.push(ask_one(poller, job));
        }
        match under_way.next().await {
            Some(outcome) => worst = worst.max(outcome?),
            None if found.is_empty() && chunks.len() == 0 => return Ok(worst),
            // The jobs of a whole chunk were gone.
            None => {}
        }
    }
}

async fn ask_one<R: Remote>(poller: &Arc<Poller<R>>, job: Job) -> Result<Outcome, StoreError> {
    // What has changed since the round began has its own lane by now.
    if job.lane != Lane::Ask {
        return Ok(Outcome::Known);
    }
    if poller.breaker.is_open() {
        return Ok(Outcome::NotAsked);
    }
    // What failed has its own time to be tried again.
    if job.attempts > 0 {
        let is_failing = job.sync_state == SyncState::Failing;
        return Ok(if is_failing { Outcome::Failing } else { Outcome::NotAsked });
    }
    // A question that hangs is not asked once more. The lane's own questions are another matter: they may have been
    // asked before that of which this one is to tell.
    let Some(_asking) = Asking::begin(&poller.signals.rounds, job.id) else { return Ok(Outcome::NotAsked) };
    match ask::ask(poller, &job, Heard::Asked).await {
        Ok(After::Again) => {
            poller.lanes.wake_all();
            Ok(Outcome::Known)
        }
        Ok(After::Later) => Ok(Outcome::Known),
        Ok(After::Failed) => Ok(Outcome::Failing),
        // Somebody else saved it meanwhile, and what it said is lost.
        Ok(After::Lost) => Ok(Outcome::NotAsked),
        Err(error) if error.is_unavailable() => Err(error),
        // The store refuses this one; the others are asked about all the same.
        Err(error) => {
            tracing::error!(job = job.id.0, %error, "what is known of job {} could not be saved", job.id);
            Ok(Outcome::NotAsked)
        }
    }
}

/// Asks about watched jobs in between, until `term` ends.
pub(super) async fn run_looks<R: Remote>(poller: Arc<Poller<R>>, term: CancellationToken) {
    let mut looks = poller.bell.listen_for_looks(poller.name());
    let mut asked_at = HashMap::new();
    while !term.is_cancelled() {
        let earliest = Instant::now() + LOOK_PACE;
        let pause = look_at_watched(&poller, &mut asked_at).await.unwrap_or_else(|error| {
            tracing::error!(environment = poller.name(), %error, "poller.look failed for {}", poller.name());
            STORE_RETRY
        });
        tokio::select! {
            biased;
            () = term.cancelled() => return,
            _ = looks.changed() => {}
            () = poller.signals.rounds.look_wanted.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            biased;
            () = term.cancelled() => {}
            () = tokio::time::sleep_until(earliest) => {}
        }
    }
}

/// How long until the next look.
async fn look_at_watched<R: Remote>(
    poller: &Arc<Poller<R>>,
    asked_at: &mut HashMap<JobId, Instant>,
) -> Result<Duration, StoreError> {
    let (name, now) = (poller.name().to_owned(), poller.clock.now());
    let watched = poller.store.read(move |c| jobs::list_watched(c, &name, now)).await?;
    let odd = std::mem::take(&mut *locked(&poller.signals.rounds.odd));
    asked_at.retain(|job, _| watched.contains(job));
    let is_due = |job: &JobId| {
        odd.contains(job) || asked_at.get(job).is_none_or(|asked: &Instant| asked.elapsed() >= WATCHED_INTERVAL)
    };
    let mut due: BTreeSet<JobId> = watched.into_iter().filter(is_due).collect();
    asked_at.extend(due.iter().map(|job| (*job, Instant::now())));
    due.extend(odd.iter().copied());
    let asking = {
        let poller = Arc::clone(poller);
        async move {
            let asked = ask_all(&poller, due.into_iter().collect()).await;
            // What was not asked, or not saved, is still to be told.
            if !matches!(asked, Ok(Outcome::Known | Outcome::Failing)) {
                locked(&poller.signals.rounds.odd).extend(odd);
            }
            asked
        }
    };
    // One that hangs holds up no later look; it ends by itself, and is not asked once more meanwhile.
    poller.lanes.within(LOOK_PATIENCE, asking).await.transpose()?;
    Ok(if asked_at.is_empty() { poller.poll_interval.min(WATCHED_INTERVAL) } else { LOOK_PACE })
}
