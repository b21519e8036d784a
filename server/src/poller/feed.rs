//! The changes feed of an environment: one long call after the other, and what each says is taken in at once, also while
//! a round is under way. It is only a faster way to see: whatever it misses, the plain rounds find.

use super::outcome::After;
use super::{Poller, ask, lanes, rounds};
use crate::lifecycle::Heard;
use crate::remote::{Answer, ChangedQueue, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::environments::find_environment_status;
use crate::store::jobs::{self, Job};
use futures_util::stream::{self, StreamExt};
use protocol::remote::{Changes, MAX_CHANGES};
use protocol::{JobId, Timestamp};
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
/// How often what the feed said of a job is taken in against others who save it at the same moment.
const ATTEMPTS: u32 = 5;
/// Of the largest id.
const MOST_DIGITS: usize = 19;

type News = Answer<Changes<ChangedQueue>>;

/// Until `term` ends; listens while the server offers a feed. One that broke is left alone for a poll interval, since
/// every start costs a plain round.
pub(super) async fn run<R: Remote>(poller: Arc<Poller<R>>, term: CancellationToken) {
    let mut offered = poller.signals.health.feed_offered();
    while !term.is_cancelled() {
        if *offered.borrow_and_update() && !poller.breaker.is_open() {
            let listening = listen(&poller);
            let broken = tokio::select! {
                biased;
                () = term.cancelled() => return,
                broken = listening => broken,
            };
            poller.signals.rounds.feed_is_live(false);
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
        let found = find_job_of(poller, &id).await?;
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

async fn find_job_of<R: Remote>(poller: &Poller<R>, queue_id: &str) -> Result<Option<Job>, StoreError> {
    let is_of_queue = |job: &Job| {
        job.remote_queue_id == queue_id && job.environment == poller.name() && *job.instance == *poller.instance
    };
    let number = queue_id.strip_prefix(&poller.environment.queue_id_prefix).and_then(|id| id.parse::<JobId>().ok());
    if let Some(id) = number
        && let Some(job) = poller.store.read(move |c| jobs::find_job(c, id)).await?.filter(is_of_queue)
    {
        return Ok(Some(job));
    }
    // A job keeps the prefix under which it was made, whatever is set since.
    let ids = ids_at_the_end(queue_id);
    if ids.is_empty() {
        return Ok(None);
    }
    let found = poller.store.read(move |c| jobs::find_jobs(c, &ids)).await?;
    Ok(found.into_iter().find(is_of_queue))
}

/// Which jobs' a queue may be by the end of its id. The prefix before that may end in digits itself.
fn ids_at_the_end(queue_id: &str) -> Vec<JobId> {
    let digits = queue_id.bytes().rev().take(MOST_DIGITS).take_while(u8::is_ascii_digit).count();
    let ends = (queue_id.len() - digits..queue_id.len()).map(|at| &queue_id[at..]);
    ends.filter(|end| !end.starts_with('0')).filter_map(|end| end.parse().ok()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_may_be_any_job_by_whose_number_its_id_ends() {
        let ids = |queue_id| ids_at_the_end(queue_id).iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(ids("42"), [42, 2]);
        assert_eq!(ids("lab2.107"), [107, 7]);
        assert_eq!(ids("lab2x"), [0_i64; 0]);
        assert_eq!(ids(&"9".repeat(300)).len(), 18, "a number that no job has is none");
    }
}
