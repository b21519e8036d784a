//! What an admin ended or removed here by force is still tried at the remote server: its queue deleted,
//! its workspace cleaned. No job waits for it any more.

use super::Poller;
use super::lanes::JOBS_AT_ONCE;
use crate::lifecycle::backoff;
use crate::remote::{QueueRef, Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::environments::{
    AbandonedQueue, list_due_abandoned_queues, postpone_abandoned_queue, remove_abandoned_queue,
};
use futures_util::stream::{self, StreamExt};
use protocol::Timestamp;

/// Most queues in one pass.
const PER_TICK: i64 = 50;

pub(super) async fn advance<R: Remote>(poller: &Poller<R>, now: Timestamp) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    let due = poller.store.read(move |c| list_due_abandoned_queues(c, &name, now, PER_TICK)).await?;
    let given_up = stream::iter(due).map(|queue| give_up(poller, queue, now)).buffer_unordered(JOBS_AT_ONCE);
    given_up.collect::<Vec<_>>().await.into_iter().collect()
}

async fn give_up<R: Remote>(poller: &Poller<R>, queue: AbandonedQueue, now: Timestamp) -> Result<(), StoreError> {
    let id = queue.id;
    let Err(error) = delete_and_clean(poller, &queue).await else {
        return poller.store.write(move |c| remove_abandoned_queue(c, id)).await;
    };
    let attempts = queue.attempts + 1;
    let pause = backoff(queue.attempts, poller.environment.retry_max_interval, rand::random());
    let (next_at, message) = (now.plus(pause), error.to_string());
    poller.store.write(move |c| postpone_abandoned_queue(c, id, attempts, next_at, &message)).await
}

async fn delete_and_clean<R: Remote>(poller: &Poller<R>, queue: &AbandonedQueue) -> Result<(), RemoteError> {
    let at_server = QueueRef { instance: &queue.instance, queue_id: &queue.remote_queue_id };
    match poller.remote.delete(at_server).await {
        Ok(()) | Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => {}
        // Not ours: nothing there is deleted or cleaned for it.
        Err(RemoteError::Permanent(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    poller.remote.clean_up(&queue.remote_queue_id).await
}
