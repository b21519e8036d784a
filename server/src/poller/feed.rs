//! The changes feed of an environment: a task that keeps one long call open and hands on what it says.
//! It changes nothing by itself; the environment's loop takes its news in, so nothing happens twice at once.

use super::lanes::JOBS_AT_ONCE;
use super::outcome::After;
use super::steps::advance_all;
use super::{Poller, ask};
use crate::remote::{Answer, ChangedQueue, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::environments::{EnvironmentStatus, find_environment_status, save_environment_status};
use crate::store::jobs::{self, Job, Lane};
use futures_util::stream::{self, StreamExt};
use protocol::remote::{Changes, MAX_CHANGES};
use protocol::{JobId, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// How long one call waits for news.
const WAIT: Duration = Duration::from_secs(20);
/// Shortest time from one call to the next, so that neither a busy server nor one that never waits makes us spin.
const PACE: Duration = Duration::from_millis(250);
/// Shortest time between two notes that all facts are fresh, so that a busy feed does not write all the time.
const FRESHNESS: Duration = Duration::from_secs(5);

/// What the feed's task says: news and when they came, or why it ended.
pub(super) type News = Result<(Answer<Changes<ChangedQueue>>, Timestamp), RemoteError>;

/// The feed as its environment's loop holds it.
#[derive(Default)]
pub(super) struct Feed {
    running: Option<(mpsc::Receiver<News>, AbortOnDropHandle<()>)>,
    broke_at: Option<Timestamp>,
}

impl Feed {
    /// Starts the task where the server offers a feed and none runs. One that broke is left alone for a poll interval:
    /// every start costs a plain round.
    pub(super) fn follow<R: Remote>(&mut self, poller: &Arc<Poller<R>>, is_offered: bool, now: Timestamp) {
        let broke_lately = self.broke_at.is_some_and(|at| now.since(at) < poller.poll_interval);
        if !is_offered || self.running.is_some() || broke_lately {
            return;
        }
        // One place: the next call is made while the loop takes in the last one's news, and no further.
        let (sender, receiver) = mpsc::channel(1);
        let task = tokio::spawn(listen(Arc::clone(poller), sender));
        self.running = Some((receiver, AbortOnDropHandle::new(task)));
    }

    pub(super) fn is_live(&self) -> bool {
        self.running.is_some()
    }

    /// The next news; waits for ever where there is no feed.
    pub(super) async fn next(&mut self) -> News {
        let Some((receiver, _)) = &mut self.running else { return std::future::pending().await };
        let news = receiver.recv().await;
        let news = news.unwrap_or_else(|| Err(RemoteError::transient("the changes feed ended")));
        if news.is_err() {
            self.running = None;
            self.broke_at = Some(Timestamp::now());
        }
        news
    }
}

async fn listen<R: Remote>(poller: Arc<Poller<R>>, news: mpsc::Sender<News>) {
    let mut cursor: Option<String> = None;
    let mut started_over = false;
    loop {
        let next_call = Instant::now() + PACE;
        let mut answer = poller.remote.changes(&poller.instance, cursor.as_deref(), WAIT).await;
        if let Ok(said) = &answer {
            if said.body.reset && started_over {
                answer = Err(RemoteError::transient("the changes feed does not understand its own cursors"));
            } else {
                started_over = said.body.reset;
                cursor = Some(said.body.cursor.clone());
            }
        }
        let is_broken = answer.is_err();
        if news.send(answer.map(|answer| (answer, Timestamp::now()))).await.is_err() || is_broken {
            return;
        }
        tokio::time::sleep_until(next_call).await;
    }
}

/// Takes news in; whether a plain round has to follow, for what they leave out.
pub(super) async fn take<R: Remote>(poller: &Arc<Poller<R>>, news: News) -> bool {
    let (answer, now) = match news {
        Ok(news) => news,
        Err(error) => {
            tracing::warn!(environment = poller.name(), %error, "poller.feed of {} ended", poller.name());
            return true;
        }
    };
    // One that starts over says nothing of the queues that ended while nobody listened.
    let starts_over = answer.body.reset;
    let is_all = !starts_over && answer.body.queues.len() < MAX_CHANGES;
    let is_taken = take_all(poller, answer, is_all, now).await.unwrap_or_else(|error| {
        tracing::error!(environment = poller.name(), %error, "poller.feed of {} failed in the store", poller.name());
        false
    });
    starts_over || !is_taken
}

/// Takes in what the server said by itself, and carries on with what follows from it; whether all of it was seen through.
async fn take_all<R: Remote>(
    poller: &Arc<Poller<R>>,
    news: Answer<Changes<ChangedQueue>>,
    is_all: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let server_now = news.server_now;
    let taken: Vec<_> = stream::iter(news.body.queues)
        .map(|queue| take_queue(poller, queue, server_now, now))
        .buffer_unordered(JOBS_AT_ONCE)
        .collect()
        .await;
    let have_more: Vec<Option<JobId>> = taken.into_iter().collect::<Result<_, _>>()?;
    let is_whole = advance_all(poller, Lane::Queue, have_more.into_iter().flatten(), now).await;
    if is_all && is_whole {
        note_freshness(poller, now).await?;
    }
    Ok(is_whole)
}

/// The queue's job, if there is more to do about it at once.
async fn take_queue<R: Remote>(
    poller: &Poller<R>,
    queue: ChangedQueue,
    server_now: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<JobId>, StoreError> {
    let id = match &queue {
        ChangedQueue::Status(queue) => &queue.id,
        ChangedQueue::Odd { id } => id,
    };
    let Some(job) = find_job_of(poller, id).await?.filter(|job| !job.status.is_terminal()) else { return Ok(None) };
    let after = match queue {
        ChangedQueue::Status(body) => {
            ask::take_status(poller, &job, Answer { body, server_now, etag: None }, now).await?
        }
        // A plain question tells what it is.
        ChangedQueue::Odd { .. } => After::Again,
    };
    Ok((after == After::Again).then_some(job.id))
}

async fn find_job_of<R: Remote>(poller: &Poller<R>, queue_id: &str) -> Result<Option<Job>, StoreError> {
    let number = queue_id.strip_prefix(&poller.environment.queue_id_prefix).and_then(|id| id.parse::<JobId>().ok());
    let Some(id) = number else { return Ok(None) };
    let found = poller.store.read(move |c| jobs::find_job(c, id)).await?;
    let is_of_queue = |job: &Job| {
        job.remote_queue_id == queue_id && job.environment == poller.name() && *job.instance == *poller.instance
    };
    Ok(found.map(|(job, _)| job).filter(is_of_queue))
}

/// All that the feed did not report is as it was: every synced job's facts are as fresh as the feed.
async fn note_freshness<R: Remote>(poller: &Poller<R>, now: Timestamp) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    let instance = Arc::clone(&poller.instance);
    let found = poller.store.read(move |c| {
        let status = find_environment_status(c, &name)?;
        // Before the first full round there is no ground to stand on.
        let is_due = |status: &EnvironmentStatus| status.round_at.is_some_and(|round| now.since(round) >= FRESHNESS);
        let Some(status) = status.filter(is_due) else { return Ok(None) };
        // The feed is this instance's: it says nothing of jobs that an earlier one made.
        Ok((!jobs::has_open_of_other_instance(c, &name, &instance)?).then_some(status))
    });
    let Some(mut status) = found.await? else { return Ok(()) };
    status.round_at = Some(now);
    poller.store.write(move |c| save_environment_status(c, status)).await
}
