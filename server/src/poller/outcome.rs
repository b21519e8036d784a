//! What comes of a step: saved, put off, or the end of the job; and whether there is more to do at once.
//! Every kind of step ends in one of these, so that each save is conditional and waiting readers hear of it.

use super::Poller;
use crate::lifecycle::{self, reason};
use crate::remote::{Failure, QueueRef, Refusal, Remote};
use crate::store::StoreError;
use crate::store::jobs::{self, Job};
use crate::store::tasks::{self, Task};
use protocol::{JobStatus, TaskStatus, Timestamp};
use std::time::Duration;

/// What a step left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// There may be more to do at once.
    Again,
    /// The rest is for later.
    Later,
}

pub(super) fn queue_of(job: &Job) -> QueueRef<'_> {
    QueueRef { instance: &job.instance, queue_id: &job.remote_queue_id }
}

/// Ends a job without a verdict of its queue: the server's last word is that there is none of ours.
pub(super) async fn end_by_refusal<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<After, StoreError> {
    let is_aborted = job.abort_requested_at.is_some();
    let (status, why) = match refusal {
        Refusal::UnknownId | Refusal::Gone if is_aborted => (JobStatus::Aborted, job.abort_reason.clone()),
        Refusal::UnknownId | Refusal::Gone => (JobStatus::Error, Some(reason::LOST.to_owned())),
        Refusal::OtherInstance => (JobStatus::Error, Some(reason::OTHER_INSTANCE.to_owned())),
        Refusal::IdTaken(_) => (JobStatus::Error, Some(reason::ID_TAKEN.to_owned())),
        Refusal::Rejected(_) => (JobStatus::Error, Some(reason::REJECTED.to_owned())),
    };
    let mut heard_of = job.clone();
    lifecycle::mark_synced(&mut heard_of, now);
    heard_of.sync_error = (status == JobStatus::Error).then(|| refusal.to_string());
    tracing::info!(job = job.id.0, status = %status, "job {} ends as {status}: {refusal}", job.id);
    end_here(poller, job, heard_of, status, why, now).await
}

/// Ends a job that is to be aborted and was never sent. The remote server has said nothing about it, so it stays as
/// little synced as it was.
pub(super) async fn end_unsent<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    let unheard_of = Job { sync_error: None, ..job.clone() };
    tracing::info!(job = job.id.0, "job {} ends as aborted: it was never sent", job.id);
    end_here(poller, job, unheard_of, JobStatus::Aborted, job.abort_reason.clone(), now).await
}

async fn end_here<R: Remote>(
    poller: &Poller<R>,
    before: &Job,
    mut ended: Job,
    status: JobStatus,
    why: Option<String>,
    now: Timestamp,
) -> Result<After, StoreError> {
    let id = before.id;
    let rows = poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
    let open_end_as = if status == JobStatus::Aborted { TaskStatus::Aborted } else { TaskStatus::Error };
    let (counts, changed) = lifecycle::end_open_tasks(rows, open_end_as, now);
    lifecycle::end(&mut ended, counts, status, why, now);
    save(poller, before, &ended, changed).await?;
    Ok(After::Again)
}

/// Notes a failed attempt and when to try again.
pub(super) async fn fail<R: Remote>(
    poller: &Poller<R>,
    before: &Job,
    mut after: Job,
    message: impl Into<Failure>,
    retry_after: Option<Duration>,
    now: Timestamp,
) -> Result<After, StoreError> {
    let message = message.into();
    tracing::debug!(job = before.id.0, error = message.private(), "job {}: a step failed", before.id);
    lifecycle::mark_failing(&mut after, message.to_string());
    lifecycle::postpone(&mut after, &poller.limits(), retry_after, rand::random(), now);
    save(poller, before, &after, Vec::new()).await?;
    Ok(After::Later)
}

/// Saves and tells waiting readers; `false` if the job was changed meanwhile.
pub(super) async fn save<R: Remote>(
    poller: &Poller<R>,
    before: &Job,
    after: &Job,
    changed_tasks: Vec<Task>,
) -> Result<bool, StoreError> {
    let (before, after) = (before.clone(), after.clone());
    let saved = poller.store.write(move |c| jobs::save_job(c, &before, &after, changed_tasks)).await?;
    if saved {
        poller.bell.ring_saved();
    }
    Ok(saved)
}
