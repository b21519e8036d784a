//! What is known of a remote server as a whole: asked by `GET /api/health` where the server has it, told by how the other
//! calls fare, and stored for everybody to see. What follows from its going away and coming back is begun here.

use super::breaker::PROBE_INTERVAL;
use super::own_clock::follow_clock;
use super::{Poller, STORE_RETRY, locked, rounds};
use crate::lifecycle::LONGEST_RETRY_AFTER;
use crate::remote::{Reach, Remote, RemoteError};
use crate::store::environments::{self, EnvironmentStatus, find_environment_status};
use crate::store::jobs::{self, Lane};
use crate::store::{AnyConnection, StoreError, tombstones};
use protocol::Timestamp;
use protocol::api::Health;
use protocol::remote::{FEATURE_CHANGES, HealthBody};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Shortest time from one look to the next, however many calls fail.
const PACE: Duration = Duration::from_secs(1);
/// A kind of call that has failed for so long without one success is tried at each look, and is news when it works again:
/// by then pauses have grown longer than anybody should wait for a server that is well.
const LONG_TROUBLE: Duration = Duration::from_secs(30);
/// Trouble that was not met again for so long is not told any more: nothing may have asked, and nothing may ever.
const TROUBLE_LASTS: Duration = Duration::from_mins(10);

/// What may have waited for a kind of call to work again. Submissions wait for their own alone, by the server's own word at
/// times.
const PAUSED_BY_TROUBLE: [Lane; 3] = [Lane::Ask, Lane::Act, Lane::Files];

/// What a server may be in trouble about: a kind of call, or its clock. Of several troubles the first of these is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Abort,
    /// The address of the call, which is met by aborts that are answered.
    AbortPath,
    Changes,
    Clock,
    Deletion,
    /// The question about its health itself, of which no job is any worse.
    Health,
    Log,
    ResultFile,
    Results,
    /// By which an environment is tried.
    Status,
    Submission,
    TaskStatus,
}

/// What the other loops tell this one, and learn from it.
#[derive(Default)]
pub(super) struct Signals {
    /// What the server answered wrongly the last time.
    troubles: Mutex<BTreeMap<About, Trouble>>,
    /// The server is away; remembered here as well, for when that can't be stored.
    is_away: AtomicBool,
    /// The server was away, and is back.
    is_back: AtomicBool,
    /// Kinds of calls that had failed for long and have worked again.
    mended: Mutex<BTreeSet<About>>,
    has_feed: watch::Sender<bool>,
}

struct Trouble {
    words: String,
    since: Timestamp,
    met_at: Timestamp,
}

impl Signals {
    /// Nothing that was met before counts: another process may have polled in between.
    pub(super) fn forget_all(&self) {
        locked(&self.troubles).clear();
        self.is_away.store(false, Ordering::Relaxed);
        self.is_back.store(false, Ordering::Relaxed);
        locked(&self.mended).clear();
        self.has_feed.send_replace(false);
    }

    /// This machine's clock was set by `step` milliseconds: what has begun did so no longer ago than before.
    pub(super) fn move_by(&self, step: i64) {
        for trouble in locked(&self.troubles).values_mut() {
            for moment in [&mut trouble.since, &mut trouble.met_at] {
                moment.0 = moment.0.saturating_add(step);
            }
        }
    }

    pub(super) fn feed_offered(&self) -> watch::Receiver<bool> {
        self.has_feed.subscribe()
    }
}

/// Until `term` ends.
pub(super) async fn run<R: Remote>(poller: Arc<Poller<R>>, term: CancellationToken) {
    while !term.is_cancelled() {
        follow_clock(&poller).await;
        let earliest = Instant::now() + PACE;
        let Some(looked) = term.run_until_cancelled(look(&poller)).await else { return };
        let pause = match looked {
            Ok(()) if poller.breaker.is_open() => PROBE_INTERVAL,
            Ok(()) => poller.poll_interval,
            Err(error) => {
                tracing::error!(environment = poller.name(), %error, "poller.health failed for {}", poller.name());
                STORE_RETRY
            }
        };
        tokio::select! {
            biased;
            () = term.cancelled() => return,
            () = poller.breaker.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            biased;
            () = term.cancelled() => {}
            () = tokio::time::sleep_until(earliest) => {}
        }
    }
}

/// Asks once and stores what is known now.
pub async fn look<R: Remote>(poller: &Poller<R>) -> Result<(), StoreError> {
    let answer = ask_for_health(poller).await;
    poller.breaker.note_health(&answer);
    let signals = &poller.signals.health;
    if poller.breaker.outage().is_some() {
        signals.is_away.store(true, Ordering::Relaxed);
    }
    let is_to_be_tried = poller.breaker.is_open() || has_long_trouble(poller, About::Status);
    if answer.is_ok() && is_to_be_tried {
        // It answers this, so that it is worth asking whether it does the rest; nothing may be due for long.
        rounds::ask_any(poller).await?;
    }
    if poller.breaker.outage().is_none() && signals.is_away.swap(false, Ordering::Relaxed) {
        signals.is_back.store(true, Ordering::Relaxed);
    }
    let features = match &answer {
        Ok(Said::Health(said)) => Some(said.features.as_slice()),
        Ok(Said::Nothing) => Some([].as_slice()),
        Ok(Said::Odd) | Err(_) => None,
    };
    if let Some(features) = features {
        let has_feed = features.iter().any(|word| word == FEATURE_CHANGES);
        signals.has_feed.send_if_modified(|known| std::mem::replace(known, has_feed) != has_feed);
    }
    let name = poller.name().to_owned();
    let known = poller.store.read(move |c| find_environment_status(c, &name)).await?;
    let now = poller.clock.now();
    let known = known.unwrap_or_else(|| EnvironmentStatus::unknown(poller.name(), now));
    let was_away = known.health == Health::Unreachable;
    let said = match answer {
        Ok(Said::Health(said)) => Some(said),
        _ => None,
    };
    let status = status_now(poller, known.clone(), said, now);
    if was_away && poller.breaker.outage().is_none() {
        // Once this is saved, be its answer heard or not, its health tells nothing of it any more.
        signals.is_back.store(true, Ordering::Relaxed);
    }
    if status != known {
        poller.write(move |c| environments::save_health(c, status)).await?;
    }
    if let Some(outage) = poller.breaker.outage() {
        return go_on_without(poller, outage.public, now).await;
    }
    let is_back = signals.is_back.swap(false, Ordering::Relaxed);
    let mended = std::mem::take(&mut *locked(&signals.mended));
    if !is_back && mended.is_empty() {
        return Ok(());
    }
    let takes_submissions = mended.contains(&About::Submission);
    go_on_with(poller, is_back, takes_submissions, now).await.inspect_err(|_| {
        signals.is_back.fetch_or(is_back, Ordering::Relaxed);
        locked(&signals.mended).extend(mended);
    })
}

/// What a server has answered to the question about its health.
enum Said {
    Health(HealthBody),
    /// It is an older one, which does not offer that.
    Nothing,
    /// Something that says nothing of it: an error, or some other program's page.
    Odd,
}

/// Any answer is one of a server that is there: how it fares is then told by the other calls.
async fn ask_for_health<R: Remote>(poller: &Poller<R>) -> Result<Said, RemoteError> {
    let answer = poller.remote.health(&poller.instance).await;
    let (said, words) = match answer {
        Ok(said) => (said.map_or(Said::Nothing, Said::Health), None),
        Err(error) if error.reach() == Reach::Answered => (Said::Odd, Some(error.private())),
        Err(error) => return Err(error),
    };
    trouble(poller, About::Health, words);
    Ok(said)
}

fn status_now<R: Remote>(
    poller: &Poller<R>,
    known: EnvironmentStatus,
    said: Option<HealthBody>,
    now: Timestamp,
) -> EnvironmentStatus {
    let trouble = first_trouble(poller);
    let (health, last_error) = match (poller.breaker.outage(), &said) {
        (Some(outage), _) => (Health::Unreachable, Some(outage.error)),
        (None, Some(said)) if said.status != "ok" => {
            (Health::Degraded, Some(format!("the remote server calls itself \"{}\"", said.status)))
        }
        (None, _) if trouble.is_some() => (Health::Degraded, trouble),
        (None, _) => (Health::Ok, None),
    };
    let number = |said_now: Option<Option<u32>>, known: Option<i64>| said_now.map_or(known, |n| n.map(i64::from));
    EnvironmentStatus {
        health,
        since: if known.health == health { known.since } else { now },
        last_error,
        slots: number(said.as_ref().map(|said| said.slots), known.slots),
        busy: number(said.as_ref().map(|said| said.busy), known.busy),
        waiting: number(said.as_ref().map(|said| said.waiting), known.waiting),
        ..known
    }
}

async fn go_on_without<R: Remote>(poller: &Poller<R>, error: String, now: Timestamp) -> Result<(), StoreError> {
    let (name, soon) = (poller.name().to_owned(), now.plus(LONGEST_RETRY_AFTER));
    let mark = move |c: &mut AnyConnection| {
        let round_at = environments::hold_round(c, &name)?;
        // Before the first answer after the outage, which may be such a word again.
        jobs::forget_unknown(c, &name)?;
        jobs::mark_all_failing(c, &name, &error, round_at, soon)
    };
    poller.signals.words.doubt_all();
    poller.marks.forget_untold();
    if poller.write(mark).await? {
        poller.bell.ring_saved();
    }
    Ok(())
}

/// Before anything is judged, everything is looked at. `is_back`: the server was away, and not only in trouble about some
/// kind of call, such as submissions, which it takes again.
async fn go_on_with<R: Remote>(
    poller: &Poller<R>,
    is_back: bool,
    takes_submissions: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    let look_anew = move |c: &mut AnyConnection| {
        if is_back {
            jobs::forget_unknown(c, &name)?;
            jobs::forget_pauses(c, &name, &Lane::ALL, now)?;
        } else {
            jobs::forget_pauses(c, &name, &PAUSED_BY_TROUBLE, now)?;
            if takes_submissions {
                jobs::forget_pauses(c, &name, &[Lane::Send], now)?;
            }
        }
        tombstones::end_waits(c, &name, now)
    };
    poller.write(look_anew).await?;
    if is_back {
        poller.signals.words.doubt_all();
        poller.marks.forget_untold();
    }
    poller.bell.ring_work();
    poller.signals.rounds.want_round();
    for lane in Lane::ALL {
        poller.lanes.wake(lane);
    }
    Ok(())
}

/// Notes what came of a call about a job: for the breaker, and for what the environment's health says.
pub(super) fn note<R, T>(poller: &Poller<R>, call: About, outcome: &Result<T, RemoteError>) {
    poller.breaker.note(outcome);
    match outcome {
        // Busy, and it says so in the words of the contract.
        Err(RemoteError::Transient { retry_after: Some(_), .. }) => trouble(poller, call, None),
        Err(RemoteError::Transient { message, .. }) if message.reach() == Reach::Answered => {
            trouble(poller, call, Some(message.private().to_owned()));
        }
        Err(RemoteError::Transient { .. }) => trouble(poller, call, None),
        Ok(_) | Err(RemoteError::Permanent(_)) => {
            if has_long_trouble(poller, call) {
                locked(&poller.signals.health.mended).insert(call);
            }
            trouble(poller, call, None);
        }
    }
}

/// Notes what came of a call for a log or for result files, to be told and nothing else: a server that fails at those
/// alone does all the rest.
pub(super) fn note_files<R, T>(poller: &Poller<R>, call: About, outcome: &Result<T, RemoteError>) {
    match outcome {
        Err(RemoteError::Transient { retry_after: Some(_), .. }) => {}
        // That one is told of its job.
        Err(RemoteError::Transient { message, .. }) if message.is_too_long() => {}
        Err(RemoteError::Transient { message, .. }) => trouble(poller, call, Some(message.private().to_owned())),
        _ => trouble(poller, call, None),
    }
}

/// What is wrong at the server with one kind of call, or with its clock; `None`: nothing any more.
pub(super) fn trouble<R>(poller: &Poller<R>, about: About, words: Option<String>) {
    let mut troubles = locked(&poller.signals.health.troubles);
    let Some(words) = words else {
        troubles.remove(&about);
        return;
    };
    let now = poller.clock.now();
    let since = troubles.get(&about).map_or(now, |trouble| trouble.since);
    troubles.insert(about, Trouble { words, since, met_at: now });
}

fn has_long_trouble<R>(poller: &Poller<R>, call: About) -> bool {
    // Longer than from one round to the next: where one job fails each time and the others do not, nothing is mended.
    let (now, long) = (poller.clock.now(), LONG_TROUBLE.max(poller.poll_interval * 3 / 2));
    let troubles = locked(&poller.signals.health.troubles);
    troubles.get(&call).is_some_and(|trouble| now.since(trouble.since) >= long)
}

fn first_trouble<R>(poller: &Poller<R>) -> Option<String> {
    // What is tried so seldom lasts longer.
    let (now, lasts) = (poller.clock.now(), TROUBLE_LASTS.max(poller.environment.retry_max_interval * 2));
    let mut troubles = locked(&poller.signals.health.troubles);
    troubles.retain(|_, trouble| now.since(trouble.met_at) < lasts);
    troubles.values().next().map(|trouble| trouble.words.clone())
}
