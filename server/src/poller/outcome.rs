//! What comes of a step: saved, put off, or the end of the job; and whether there is more to do at once.
//! Every kind of step ends in one of these, so that each save is conditional and waiting readers hear of it.

use super::Poller;
use crate::lifecycle;
use crate::remote::{Failure, QueueRef, Reach, Refusal, Remote};
use crate::store::jobs::{self, Job, has_own_queue};
use crate::store::tasks::{self, Task};
use crate::store::tombstones::{Wanted, insert_tombstone};
use crate::store::{AnyConnection, QueryResult, StoreError};
use crate::wishes;
use protocol::{JobStatus, TaskStatus, reason};
use std::time::Duration;

/// What a step left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// There may be more to do at once.
    Again,
    /// The rest is for later.
    Later,
    /// The server did not do it; it is tried again later.
    Failed,
    /// Somebody else has changed the job meanwhile: nothing was saved.
    Lost,
}

impl After {
    /// `self`, if it was saved.
    pub(super) fn if_saved(self, saved: bool) -> Self {
        if saved { self } else { Self::Lost }
    }
}

pub(super) fn queue_of(job: &Job) -> QueueRef<'_> {
    QueueRef { instance: &job.instance, queue_id: &job.remote_queue_id }
}

/// The server has refused what was asked about a job: one that it had accepted is not given up at its first word.
pub(super) async fn take_refusal<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    refusal: &Refusal,
) -> Result<After, StoreError> {
    let is_odd = matches!(refusal, Refusal::UnknownId | Refusal::OtherInstance) && job.accepted_at.is_some();
    let now = poller.clock.now();
    let mut unknown = job.clone();
    if !is_odd || lifecycle::is_lost(&mut unknown, now) {
        return end_by_refusal(poller, job, refusal).await;
    }
    let words = format!("{refusal}, though it has accepted it; it is asked again");
    lifecycle::ask_again_about_unknown(&mut unknown, words, now);
    let saved = save(poller, job, &unknown, Vec::new()).await?;
    Ok(After::Failed.if_saved(saved))
}

/// Ends a job without a verdict of its queue: the server's last word is that there is none of ours.
pub(super) async fn end_by_refusal<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    refusal: &Refusal,
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
    lifecycle::mark_synced(&mut heard_of, poller.clock.now());
    heard_of.sync_error = (status == JobStatus::Error).then(|| refusal.to_string());
    tracing::info!(job = job.id.0, status = %status, "job {} ends as {status}: {refusal}", job.id);
    end_here(poller, job, heard_of, status, why).await
}

/// Ends a job that is to be aborted and was never sent. The remote server has said nothing about it, so it stays as
/// little synced as it was.
pub(super) async fn end_unsent<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let unheard_of = Job { sync_error: None, ..job.clone() };
    tracing::info!(job = job.id.0, "job {} ends as aborted: it was never sent", job.id);
    end_here(poller, job, unheard_of, JobStatus::Aborted, job.abort_reason.clone()).await
}

pub(super) async fn end_here<R: Remote>(
    poller: &Poller<R>,
    before: &Job,
    mut ended: Job,
    status: JobStatus,
    why: Option<String>,
) -> Result<After, StoreError> {
    let (id, now) = (before.id, poller.clock.now());
    let rows = poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
    let open_end_as = if status == JobStatus::Aborted { TaskStatus::Aborted } else { TaskStatus::Error };
    let (counts, changed) = lifecycle::end_open_tasks(before, rows, open_end_as, now);
    lifecycle::end(&mut ended, counts, status, why, now);
    if before.accepted_at.is_some() && has_own_queue(&ended) {
        // It ran there, and may still do so where the server says so without its store.
        ended.unknown_since = Some(now);
    }
    let tombstone = match (has_own_queue(&ended), before.accepted_at) {
        // What turned out to be another's is not ours to end.
        (false, _) => None,
        // At its first word, which a server says as well whose store is not there for a moment.
        (true, None) => Some(
            wishes::tombstone_of(before, Wanted::Abort, now)
                .unwrap_or_else(|| wishes::tombstone_until(before, Wanted::Abort, jobs::DUE_AT_ONCE)),
        ),
        // The abort is not forgotten with the job that it has ended. A deletion leaves a tombstone of its own.
        (true, Some(_)) => (status == JobStatus::Aborted && before.delete_requested_at.is_none()).then(|| {
            let over_at = lifecycle::surely_over_at(before, now);
            wishes::tombstone_until(before, Wanted::Abort, over_at)
        }),
    };
    let leave = move |c: &mut AnyConnection| tombstone.map_or(Ok(()), |tombstone| insert_tombstone(c, tombstone, now));
    let saved = save_with(poller, before, &ended, changed, leave).await?;
    Ok(After::Again.if_saved(saved))
}

/// Notes a failed attempt and when to try again, reckoned from now.
pub(super) async fn fail<R: Remote>(
    poller: &Poller<R>,
    before: &Job,
    mut after: Job,
    message: impl Into<Failure>,
    retry_after: Option<Duration>,
) -> Result<After, StoreError> {
    let (message, now) = (message.into(), poller.clock.now());
    if message.reach() == Reach::Answered && !after.status.is_terminal() {
        // Three words in a row that there is no such queue are not in a row any more. Of a job that has ended they say that
        // its queue may run on, which is so until its deletion.
        (after.unknown_since, after.unknown_count) = (None, 0);
    }
    tracing::debug!(job = before.id.0, error = message.private(), "job {}: a step failed", before.id);
    lifecycle::mark_failing(&mut after, message.to_string());
    // One that was said, which may be another next time, and with which the server may have trouble.
    after.remote_etag = None;
    lifecycle::postpone(&mut after, &poller.limits(), retry_after, poller.chance.jitter(), now);
    if let Some(why) = lifecycle::given_up_unseen(&after, &poller.limits(), now) {
        jobs::want_abort(&mut after, why, now);
    }
    let saved = save(poller, before, &after, Vec::new()).await?;
    Ok(After::Failed.if_saved(saved))
}

/// How long a server may have a retry wait that somebody is waiting for: no longer than others wait, whatever it asks.
pub(super) fn capped<R>(poller: &Poller<R>, retry_after: Option<Duration>) -> Option<Duration> {
    retry_after.map(|pause| pause.min(poller.environment.retry_max_interval))
}

/// Saves and tells waiting readers; `false` if the job was changed meanwhile.
pub(super) async fn save<R: Remote>(
    poller: &Poller<R>,
    before: &Job,
    after: &Job,
    changed_tasks: Vec<Task>,
) -> Result<bool, StoreError> {
    save_with(poller, before, after, changed_tasks, |_| Ok(())).await
}

/// The same with what is to hold if the job is saved, and not else.
pub(super) async fn save_with<R: Remote>(
    poller: &Poller<R>,
    before: &Job,
    after: &Job,
    changed_tasks: Vec<Task>,
    with: impl FnOnce(&mut AnyConnection) -> QueryResult<()> + Send + 'static,
) -> Result<bool, StoreError> {
    let (before, after) = (before.clone(), after.clone());
    let save = move |c: &mut AnyConnection| {
        let saved = jobs::save_job(c, &before, &after, changed_tasks)?;
        if saved {
            with(c)?;
        }
        Ok(saved)
    };
    let saved = poller.write(save).await?;
    if saved {
        poller.bell.ring_saved();
    }
    Ok(saved)
}
