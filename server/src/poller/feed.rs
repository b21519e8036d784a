//! The changes feed of an environment: a task that keeps one long call open and hands on what it says.
//! It changes nothing by itself; the environment's loop takes its news in, so nothing happens twice at once.

use super::{Poller, ask};
use crate::remote::{Answer, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::environments::{find_environment_status, save_environment_status};
use crate::store::jobs::{self, Job};
use protocol::remote::{Changes, QueueBody, StatusBody};
use protocol::{JobId, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How long one call waits for news.
const WAIT: Duration = Duration::from_secs(20);
/// Shortest time between two notes that all facts are fresh, so that a busy feed does not write all the time.
const FRESHNESS: Duration = Duration::from_secs(5);

/// What the feed's task says: news, or why it ended.
pub(super) type News = Result<Answer<Changes>, RemoteError>;

/// The feed as its environment's loop holds it.
#[derive(Default)]
pub(super) struct Feed {
    running: Option<(mpsc::Receiver<News>, AbortOnDropHandle<()>)>,
}

impl Feed {
    /// Starts the task where the server offers a feed and none runs.
    pub(super) fn follow<R: Remote>(&mut self, poller: &Arc<Poller<R>>, is_offered: bool) {
        if !is_offered || self.running.is_some() {
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
        }
        news
    }
}

async fn listen<R: Remote>(poller: Arc<Poller<R>>, news: mpsc::Sender<News>) {
    let mut cursor: Option<String> = None;
    loop {
        let answer = poller.remote.changes(&poller.instance, cursor.as_deref(), WAIT).await;
        if let Ok(answer) = &answer {
            cursor = Some(answer.body.cursor.clone());
        }
        let is_broken = answer.is_err();
        if news.send(answer).await.is_err() || is_broken {
            return;
        }
    }
}

/// Takes news in; `false` where the feed broke.
pub(super) async fn take<R: Remote>(poller: &Poller<R>, news: News, now: Timestamp) -> bool {
    let answer = match news {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(environment = poller.name(), %error, "poller.feed of {} ended", poller.name());
            return false;
        }
    };
    let taken = take_queues(poller, answer, now).await;
    if let Err(error) = taken {
        // The plain round that follows a broken feed finds what was not taken in.
        tracing::error!(environment = poller.name(), %error, "poller.feed of {} failed in the store", poller.name());
        return false;
    }
    true
}

async fn take_queues<R: Remote>(poller: &Poller<R>, news: Answer<Changes>, now: Timestamp) -> Result<(), StoreError> {
    for status in news.body.queues {
        let StatusBody::Queue(queue) = status else { continue };
        let Some(job) = find_job_of(poller, &queue).await? else { continue };
        if job.status.is_terminal() {
            continue;
        }
        let answer = Answer { body: queue, server_now: news.server_now, etag: None };
        ask::take_status_and_go_on(poller, job, answer, now).await?;
    }
    note_freshness(poller, now).await
}

async fn find_job_of<R: Remote>(poller: &Poller<R>, queue: &QueueBody) -> Result<Option<Job>, StoreError> {
    let number = queue.id.strip_prefix(&poller.environment.queue_id_prefix).and_then(|id| id.parse::<JobId>().ok());
    let Some(id) = number else { return Ok(None) };
    let found = poller.store.read(move |c| jobs::find_job(c, id)).await?;
    let is_of_queue = |job: &Job| {
        job.remote_queue_id == queue.id && job.environment == poller.name() && *job.instance == *poller.instance
    };
    Ok(found.map(|(job, _)| job).filter(is_of_queue))
}

/// All that the feed did not report is as it was: every synced job's facts are as fresh as the feed.
async fn note_freshness<R: Remote>(poller: &Poller<R>, now: Timestamp) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    let Some(mut status) = poller.store.read(move |c| find_environment_status(c, &name)).await? else { return Ok(()) };
    // Before the first full round there is no ground to stand on.
    if status.round_at.is_none_or(|round| now.since(round) < FRESHNESS) {
        return Ok(());
    }
    status.round_at = Some(now);
    poller.store.write(move |c| save_environment_status(c, status)).await
}
