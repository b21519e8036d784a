//! Queues that no job follows any more: what is still wanted of each is tried until it is so, and each is looked for as
//! long as a submission may still come to its server, which need not remember that it was deleted.

use super::identity::{Whose, find_job_of, whose};
use super::in_a_row::InARow;
use super::steps::find_request;
use super::{Poller, SHORTEST_PAUSE, STORE_RETRY, lanes, locked, until};
use crate::lifecycle::{self, backoff};
use crate::remote::{QueueRef, Reach, Refusal, Remote, RemoteError};
use crate::store::audit::{AuditEntry, insert_audit_entry};
use crate::store::tombstones::{
    Tombstone, Wanted, earliest_tombstone, is_there, list_due_tombstones, postpone_tombstone, remove_tombstone,
};
use crate::store::{AnyConnection, StoreError};
use futures_util::stream::{self, StreamExt};
use protocol::Timestamp;
use protocol::api::{AuditAction, Via};
use protocol::remote::QueueBody;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Most queues in one pass.
const PER_PASS: i64 = 50;
/// Longest pause between two looks for a queue that may still arrive.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What a look has found.
enum Found {
    /// What was wanted is so, and nothing can come any more.
    Done,
    /// It is looked at again.
    Later,
    /// All but its workspace is gone, which can't be removed.
    Left(String),
    /// The server says that it does not know the queue, as one does whose store is not there for a moment.
    Unsure,
}

/// What has come of the looks for each queue so far. Lost at a restart, which costs a minute, and begins the time anew in
/// which a workspace has to be removed.
#[derive(Default)]
pub(super) struct Words(Mutex<HashMap<i64, Word>>);

#[derive(Default)]
struct Word {
    /// That the server does not know it. That it was asked to delete the queue makes no single one of these believed: it
    /// may have done nothing, and lack its store just now.
    unknown: InARow,
    /// That its workspace could not be removed. Looks that never came so far are none of these.
    left: InARow,
}

impl Words {
    fn forget(&self, id: i64) {
        locked(&self.0).remove(&id);
    }

    /// It has said something else in between.
    fn doubt(&self, id: i64) {
        if let Some(word) = locked(&self.0).get_mut(&id) {
            word.unknown = InARow::default();
        }
    }

    /// Nothing that was said before counts: another process may have polled in between.
    pub(super) fn forget_all(&self) {
        locked(&self.0).clear();
    }

    /// The server was away in between.
    pub(super) fn doubt_all(&self) {
        locked(&self.0).values_mut().for_each(|word| word.unknown = InARow::default());
    }

    /// Whether it is believed, now that it has said so again.
    fn is_believed(&self, id: i64, now: Timestamp) -> bool {
        let (count, since) = locked(&self.0).entry(id).or_default().unknown.note(now);
        lifecycle::is_unknown_for_good(count, since, now)
    }

    /// This machine's clock was set by `step` milliseconds: what has begun did so no longer ago than before.
    pub(super) fn move_by(&self, step: i64) {
        for word in locked(&self.0).values_mut() {
            word.unknown.move_by(step);
            word.left.move_by(step);
        }
    }

    /// Whether its workspace, which could not be removed again, is left there: after as long, and as many attempts, as that
    /// of a job.
    fn is_given_up(&self, id: i64, give_up: Duration, now: Timestamp) -> bool {
        let (count, since) = locked(&self.0).entry(id).or_default().left.note(now);
        now.since(since) >= give_up && count >= lifecycle::FEWEST_CLEANUP_ATTEMPTS
    }
}

/// Until `term` ends.
pub(super) async fn run<R: Remote>(poller: Arc<Poller<R>>, term: CancellationToken) {
    let mut work = poller.bell.listen_for_work();
    while !term.is_cancelled() {
        // Each of them is looked at again by whoever polls next.
        let Some(advanced) = term.run_until_cancelled(advance(&poller)).await else { return };
        let pause = match advanced {
            Ok(()) => next_look(&poller).await,
            Err(error) => {
                tracing::error!(environment = poller.name(), %error, "poller.tombstones failed for {}", poller.name());
                STORE_RETRY
            }
        };
        tokio::select! {
            biased;
            () = term.cancelled() => {}
            _ = work.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn next_look<R: Remote>(poller: &Poller<R>) -> Duration {
    if poller.breaker.is_open() {
        return poller.poll_interval;
    }
    let name = poller.name().to_owned();
    match poller.store.read(move |c| earliest_tombstone(c, &name)).await {
        Ok(Some(due)) => until(due, poller.clock.now(), poller).max(SHORTEST_PAUSE),
        Ok(None) => poller.poll_interval,
        Err(_) => STORE_RETRY,
    }
}

/// Looks at those that are due.
pub async fn advance<R: Remote>(poller: &Poller<R>) -> Result<(), StoreError> {
    if poller.breaker.is_open() {
        return Ok(());
    }
    let (name, now) = (poller.name().to_owned(), poller.clock.now());
    let due = poller.store.read(move |c| list_due_tombstones(c, &name, now, PER_PASS)).await?;
    let looks = stream::iter(due).map(|tombstone| look_after(poller, tombstone)).buffer_unordered(lanes::JOBS_AT_ONCE);
    looks.collect::<Vec<_>>().await.into_iter().collect()
}

async fn look_after<R: Remote>(poller: &Poller<R>, tombstone: Tombstone) -> Result<(), StoreError> {
    let found = look(poller, &tombstone).await;
    let now = poller.clock.now();
    let (cap, error) = match &found {
        Ok(Found::Done) => {
            poller.signals.words.forget(tombstone.id);
            return poller.write(move |c| remove_tombstone(c, &tombstone)).await;
        }
        Ok(Found::Left(error)) => {
            if poller.signals.words.is_given_up(tombstone.id, poller.environment.cleanup_give_up, now) {
                let left = note_of_what_is_left(poller, &tombstone, error);
                return give_up(poller, tombstone, left, now).await;
            }
            (poller.environment.retry_max_interval, Some(error.clone()))
        }
        Ok(Found::Later) => (LONGEST_PAUSE, None),
        Ok(Found::Unsure) => (lifecycle::UNKNOWN_PAUSE, None),
        Err(error) => (poller.environment.retry_max_interval, Some(error.to_string())),
    };
    let pause = backoff(tombstone.attempts, cap, poller.chance.jitter());
    let next_at = now.plus(pause);
    poller.write(move |c| postpone_tombstone(c, &tombstone, next_at, error.as_deref())).await
}

/// Leaves a workspace where it is, and says so.
async fn give_up<R: Remote>(
    poller: &Poller<R>,
    tombstone: Tombstone,
    left: AuditEntry,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = tombstone.id;
    let write = move |c: &mut AnyConnection| {
        remove_tombstone(c, &tombstone)?;
        insert_audit_entry(c, left, now)
    };
    poller.write(write).await?;
    poller.signals.words.forget(id);
    Ok(())
}

async fn look<R: Remote>(poller: &Poller<R>, tombstone: &Tombstone) -> Result<Found, RemoteError> {
    let queue = QueueRef { instance: &tombstone.instance, queue_id: &tombstone.remote_queue_id };
    let status = poller.queue_status(queue, None).await;
    let (now, words) = (poller.clock.now(), &poller.signals.words);
    let may_still_come = now < tombstone.look_until;
    match status {
        Ok(Some(answer)) => {
            words.forget(tombstone.id);
            if is_anothers(poller, tombstone, &answer.body).await? {
                return Ok(Found::Done);
            }
            end(poller, tombstone, queue, &answer.body).await
        }
        Ok(None) => Err(RemoteError::transient("it answered \"unchanged\" to a plain question")),
        Err(RemoteError::Permanent(Refusal::UnknownId)) if !words.is_believed(tombstone.id, now) => Ok(Found::Unsure),
        Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) if may_still_come => Ok(Found::Later),
        Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => {
            clean_up(poller, tombstone.wanted, queue).await
        }
        // Not ours: nothing there is ended or cleaned for it.
        Err(RemoteError::Permanent(_)) => Ok(Found::Done),
        Err(error) => {
            if error.reach() == Reach::Answered {
                words.doubt(tombstone.id);
            }
            Err(error)
        }
    }
}

/// Whether what stands under the id of a job that was never seen to arrive has other tasks. A job that is gone says
/// nothing about that any more, but that its tombstone has gone as well: it was removed because the queue is another's.
async fn is_anothers<R: Remote>(
    poller: &Poller<R>,
    tombstone: &Tombstone,
    queue: &QueueBody,
) -> Result<bool, RemoteError> {
    let not_now = |error: StoreError| RemoteError::transient(error.to_string());
    let found = find_job_of(poller, &tombstone.instance, &tombstone.remote_queue_id).await.map_err(not_now)?;
    let Some(job) = found else {
        let id = tombstone.id;
        let is_left = poller.store.read(move |c| is_there(c, id)).await.map_err(not_now)?;
        return Ok(!is_left);
    };
    if job.accepted_at.is_some() {
        return Ok(false);
    }
    let Some((_, request)) = find_request(poller, job.id).await.map_err(not_now)? else { return Ok(false) };
    Ok(whose(poller, &job, queue, &request).await? == Whose::Anothers)
}

/// Brings a queue that is there nearer to what is wanted of it. A deletion aborts first; what each of them has done is
/// seen the next time.
async fn end<R: Remote>(
    poller: &Poller<R>,
    tombstone: &Tombstone,
    queue: QueueRef<'_>,
    said: &QueueBody,
) -> Result<Found, RemoteError> {
    if !said.status.is_terminal() {
        let aborted = poller.abort(queue).await;
        return aborted.map(|_| Found::Later);
    }
    if tombstone.wanted == Wanted::Abort {
        return Ok(Found::Done);
    }
    let deleted = poller.delete(queue).await;
    deleted.map(|()| Found::Later)
}

async fn clean_up<R: Remote>(poller: &Poller<R>, wanted: Wanted, queue: QueueRef<'_>) -> Result<Found, RemoteError> {
    // What was only to be aborted is cleaned with its job, if that is still here.
    if wanted == Wanted::Delete
        && let Err(error) = poller.remote.clean_up(queue.queue_id).await
    {
        return Ok(Found::Left(error.to_string()));
    }
    Ok(Found::Done)
}

fn note_of_what_is_left<R>(poller: &Poller<R>, tombstone: &Tombstone, error: &str) -> AuditEntry {
    let (environment, id) = (&poller.environment, &tombstone.remote_queue_id);
    let workspace = format!("{}/{id}", environment.ssh.workspace_root.trim_end_matches('/'));
    let detail = json!({ "environment": environment.name, "left": workspace, "error": error });
    let job = id.strip_prefix(&environment.queue_id_prefix).unwrap_or(id);
    AuditEntry::by_nobody(Via::System, AuditAction::DeleteJob, format!("job:{job}"), &detail)
}
