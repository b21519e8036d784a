//! The changes feed of an environment: one long call after the other, and what each says is taken in at once, also while
//! a round is under way. It is only a faster way to see: whatever it misses, the plain rounds find.

use super::health::{About, trouble};
use super::identity::find_job_of;
use super::outcome::After;
use super::{Poller, ask, lanes, rounds};
use crate::lifecycle::Heard;
use crate::remote::{Answer, ChangedQueue, Reach, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::environments::find_environment_status;
use crate::store::jobs;
use futures_util::stream::{self, StreamExt};
use protocol::Timestamp;
use protocol::remote::{Changes, MAX_CHANGES};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long one call waits for news.
const WAIT: Duration = Duration::from_secs(20);
/// Shortest time from one call to the next, so that neither a busy server nor one that never waits makes us spin.
const PACE: Duration = Duration::from_millis(250);
/// Shortest time between two notes that all facts are fresh, so that a busy feed does not write all the time.
const FRESHNESS: Duration = Duration::from_secs(5);
/// Calls in a row without an answer before that is told; the server may do all the rest.
const UNANSWERED: u32 = 3;
/// How often what the feed said of a job is taken in against others who save it at the same moment.
const ATTEMPTS: u32 = 5;

type News = Answer<Changes<ChangedQueue>>;

/// Until `term` ends; listens while the server offers a feed. One that broke is left alone for a poll interval, since
/// every start costs a plain round.
pub(super) async fn run<R: Remote>(poller: Arc<Poller<R>>, term: CancellationToken) {
    let mut offered = poller.signals.health.feed_offered();
    let mut unanswered = 0;
    while !term.is_cancelled() {
        if *offered.borrow_and_update() && !poller.breaker.is_open() {
            let listening = listen(&poller);
            let broken = tokio::select! {
                biased;
                () = term.cancelled() => return,
                broken = listening => broken,
            };
            // It is live from its first answer on.
            let has_answered = poller.signals.rounds.feed_is_live(false) || broken.reach() == Reach::Answered;
            unanswered = if has_answered { 0 } else { unanswered + 1 };
            if unanswered >= UNANSWERED {
                trouble(&poller, About::Changes, Some(broken.private()));
            }
            tracing::warn!(
                environment = poller.name(),
                error = broken.private(),
                "poller.feed of {} ended",
                poller.name()
            );
            poller.signals.rounds.want_round();
        }
        tokio::select! {
            biased;
            () = term.cancelled() => {}
            _ = offered.changed(), if !*offered.borrow() => {}
            () = tokio::time::sleep(poller.poll_interval) => {}
        }
    }
}

/// Call after call, until one fails.
async fn listen<R: Remote>(poller: &Arc<Poller<R>>) -> RemoteError {
    let mut cursor: Option<String> = None;
    let mut started_over = false;
    let mut pace = PACE;
    loop {
        let began = Instant::now();
        let answer = poller.changes(cursor.as_deref(), WAIT).await;
        let news = match answer {
            Ok(news) => news,
            Err(error) => return error,
        };
        if news.body.reset && started_over {
            return RemoteError::transient("the changes feed does not understand its own cursors");
        }
        poller.signals.rounds.feed_is_live(true);
        started_over = news.body.reset;
        // The same page again and again says nothing, and each of them costs as much as one that does.
        let is_stuck = !news.body.queues.is_empty() && cursor.as_ref() == Some(&news.body.cursor);
        pace = if is_stuck { (pace * 2).min(poller.poll_interval.max(PACE)) } else { PACE };
        cursor = Some(news.body.cursor.clone());
        let is_taken = take(poller, news).await.unwrap_or_else(|error| {
            tracing::error!(environment = poller.name(), %error, "poller.feed of {} failed in the store", poller.name());
            false
        });
        // One that starts over says nothing of the queues that ended while nobody listened.
        if started_over || !is_taken {
            poller.signals.rounds.want_round();
        }
        tokio::time::sleep_until(began + pace).await;
    }
}

/// Takes in what the server said by itself; whether all of it was.
async fn take<R: Remote>(poller: &Arc<Poller<R>>, news: News) -> Result<bool, StoreError> {
    let (server_now, now) = (news.server_now, poller.clock.now());
    let is_all = !news.body.reset && news.body.queues.len() < MAX_CHANGES;
    let mut taken = stream::iter(news.body.queues)
        .map(|queue| take_queue(poller, queue, server_now))
        .buffer_unordered(lanes::JOBS_AT_ONCE);
    let mut is_whole = true;
    while let Some(was_taken) = taken.next().await {
        is_whole &= was_taken?;
    }
    if is_all && is_whole {
        note_freshness(poller, now).await?;
    }
    Ok(is_whole)
}

async fn take_queue<R: Remote>(
    poller: &Arc<Poller<R>>,
    queue: ChangedQueue,
    server_now: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let id = match &queue {
        ChangedQueue::Status(queue) => queue.id.clone(),
        ChangedQueue::Odd { id } => id.clone(),
    };
    for _ in 0..ATTEMPTS {
        let found = find_job_of(poller, &poller.instance, &id).await?;
        let Some(job) = found.filter(|job| !job.status.is_terminal()) else { return Ok(true) };
        let ChangedQueue::Status(body) = &queue else {
            // A plain question tells what it is.
            poller.signals.rounds.want_look(job.id);
            return Ok(true);
        };
        let answer = Answer { body: body.clone(), server_now, etag: None };
        match ask::take_status(poller, &job, answer, Heard::Told).await? {
            // Somebody else saved it meanwhile.
            After::Lost => {}
            After::Failed => return Ok(false),
            After::Again => {
                poller.lanes.wake_all();
                return Ok(true);
            }
            After::Later => return Ok(true),
        }
    }
    Ok(false)
}

/// All that the feed did not report is as it was: every synced job's facts are as fresh as the feed.
async fn note_freshness<R: Remote>(poller: &Poller<R>, now: Timestamp) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    // The feed is this instance's: it says nothing of jobs that an earlier one made.
    let instance = Arc::clone(&poller.instance);
    let found = poller.store.read(move |c| {
        let round_at = find_environment_status(c, &name)?.and_then(|status| status.round_at);
        // Before the first full round there is no ground to stand on.
        if round_at.is_none_or(|round| now.since(round) < FRESHNESS) {
            return Ok(false);
        }
        Ok(!jobs::has_open_of_other_instance(c, &name, &instance)?)
    });
    if found.await? { rounds::note_freshness(poller, now).await } else { Ok(()) }
}
