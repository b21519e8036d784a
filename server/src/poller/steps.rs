//! Carries out a job's steps at the remote server, one after the other, and saves what came of each.
//! Every step may be repeated after a crash: the remote server's calls are idempotent, and each save is conditional.

use super::lanes::work_off;
use super::outcome::{After, end_by_refusal, end_unsent, fail, queue_of, save};
use super::{Poller, ask, finish};
use crate::lifecycle::{self, Step, next_step, reason};
use crate::remote::{Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::{self, Job, Lane};
use crate::store::tasks::{self, Task};
use protocol::api::CleanupState;
use protocol::remote::{QueueRequest, TaskRequest};
use protocol::{JobId, Timestamp};
use std::sync::Arc;

/// More steps than a job's whole life has: a bound, not a plan.
const MAX_STEPS: usize = 12;

/// Takes each job as far as it goes; whether all were seen through and saved.
pub(super) async fn advance_all<R: Remote>(
    poller: &Arc<Poller<R>>,
    lane: Lane,
    jobs: impl IntoIterator<Item = JobId>,
    now: Timestamp,
) -> bool {
    let take = move |poller: Arc<Poller<R>>, job: Job| async move { advance(&poller, job, lane, now).await };
    work_off(poller, lane, jobs, now, take).await
}

/// Takes a job as far as it goes now in one lane; from there another lane's loop goes on, which finds it due.
pub(super) async fn advance<R: Remote>(
    poller: &Poller<R>,
    job: Job,
    lane: Lane,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = job.id;
    let mut current = Some(job);
    for _ in 0..MAX_STEPS {
        let Some(job) = current.take() else { return Ok(()) };
        let step = next_step(&job, &poller.limits(), now);
        if step.lane() != lane && !step.is_local() {
            poller.lanes.wake(step.lane());
            return Ok(());
        }
        if take_step(poller, &job, step, now).await? == After::Later {
            return Ok(());
        }
        current = poller.store.read(move |c| jobs::find_job(c, id)).await?.map(|(job, _)| job);
    }
    Ok(())
}

async fn take_step<R: Remote>(poller: &Poller<R>, job: &Job, step: Step, now: Timestamp) -> Result<After, StoreError> {
    match step {
        Step::Submit => submit(poller, job, now).await,
        Step::Ask => ask::ask(poller, job, now).await,
        Step::Abort => abort(poller, job, now).await,
        Step::GiveUpWaiting => give_up_waiting(poller, job, now).await,
        Step::EndUnsent => end_unsent(poller, job, now).await,
        Step::Mirror => finish::finish(poller, job, now).await,
        Step::CleanUp => clean_up(poller, job, now).await,
        Step::DeleteQueue => delete_queue(poller, job, now).await,
        Step::Remove => remove(poller, job, now).await,
        Step::Nothing => rest(poller, job).await,
    }
}

async fn submit<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    if job.submit_attempted_at.is_none() {
        // Before the first attempt, so that a crash after it is not taken for "never sent".
        let attempted = Job { submit_attempted_at: Some(now), ..job.clone() };
        save(poller, job, &attempted, Vec::new()).await?;
        return Ok(After::Again);
    }
    let id = job.id;
    let found = poller.store.read(move |c| Ok((jobs::find_job(c, id)?, tasks::find_tasks(c, id)?))).await?;
    let (Some((_, owner)), rows) = found else { return Ok(After::Later) };
    let request = request_of(job, &rows, owner);
    let mut after = job.clone();
    match poller.remote.submit(&job.instance, &request).await {
        Ok(()) => {
            lifecycle::mark_synced(&mut after, now);
            after.accepted_at = Some(now);
            after.next_at = Some(now);
            save(poller, job, &after, Vec::new()).await?;
            Ok(After::Again)
        }
        Err(RemoteError::Permanent(refusal)) => end_by_refusal(poller, job, &refusal, now).await,
        Err(RemoteError::Transient { message, retry_after }) => {
            fail(poller, job, after, message, retry_after, now).await
        }
    }
}

/// Before the next attempt to send it, so that it does not run after all when the server comes back.
async fn give_up_waiting<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    let mut after = job.clone();
    after.abort_requested_at = Some(now);
    after.abort_reason = Some(reason::WAITED_TOO_LONG.to_owned());
    after.next_at = Some(now);
    save(poller, job, &after, Vec::new()).await?;
    // What the server may know of is aborted there, when it can be reached.
    Ok(if job.submit_attempted_at.is_none() { After::Again } else { After::Later })
}

fn request_of(job: &Job, tasks: &[Task], submitted_by: String) -> QueueRequest {
    let task = |task: &Task| TaskRequest { task_id: job.task_id(task.n), scenario: task.scenario.clone() };
    QueueRequest {
        queue_id: job.remote_queue_id.clone(),
        branch: job.branch_name.clone(),
        commit: job.commit_hash.clone(),
        submitted_by,
        // Rounded up: the limit that the server keeps must not be shorter than ours.
        timeout_s: u64::try_from(job.timeout_ms).unwrap_or(0).div_ceil(1_000).max(1),
        tasks: tasks.iter().map(task).collect(),
    }
}

async fn abort<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    match poller.remote.abort(queue_of(job)).await {
        Ok(()) => {
            let mut taken = job.clone();
            lifecycle::mark_synced(&mut taken, now);
            taken.abort_confirmed_at = Some(now);
            taken.remote_etag = None;
            save(poller, job, &taken, Vec::new()).await?;
            Ok(After::Again)
        }
        Err(RemoteError::Permanent(refusal)) => end_by_refusal(poller, job, &refusal, now).await,
        Err(RemoteError::Transient { message, retry_after }) => {
            fail(poller, job, job.clone(), message, retry_after, now).await
        }
    }
}

async fn clean_up<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    let is_deletion = job.delete_requested_at.is_some();
    let limits = poller.limits();
    let since = job.cleanup_since.unwrap_or(now);
    let mut after = Job { cleanup_since: Some(since), ..job.clone() };
    match poller.remote.clean_up(&job.remote_queue_id).await {
        Ok(()) => {
            after.cleanup_state = CleanupState::Done;
            after.cleanup_error = None;
            after.cleaned_at = Some(now);
            after.attempts = 0;
            after.next_at = if is_deletion { Some(now) } else { lifecycle::remote_deletion_due_at(&after, &limits) };
        }
        Err(error) => {
            after.cleanup_error = Some(error.to_string());
            lifecycle::postpone(&mut after, &limits, None, rand::random(), now);
            // A deletion waits for as long as it takes; an admin may force it.
            if now.since(since) >= limits.cleanup_give_up && !is_deletion {
                tracing::error!(job = job.id.0, %error, "job {}: gave up cleaning its workspace", job.id);
                after.cleanup_state = CleanupState::Failed;
                after.attempts = 0;
                after.next_at = lifecycle::remote_deletion_due_at(&after, &limits);
            }
        }
    }
    save(poller, job, &after, Vec::new()).await?;
    Ok(if is_deletion && after.cleaned_at.is_some() { After::Again } else { After::Later })
}

async fn delete_queue<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    let mut after = job.clone();
    match poller.remote.delete(queue_of(job)).await {
        Ok(()) | Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => {
            let error_of_ended_job = job.status.is_terminal().then(|| job.sync_error.clone()).flatten();
            lifecycle::mark_synced(&mut after, now);
            after.sync_error = error_of_ended_job;
        }
        Err(RemoteError::Permanent(refusal)) => {
            // Not ours: nothing there is deleted or cleaned for it.
            after.sync_error = Some(refusal.to_string());
            after.cleaned_at = Some(after.cleaned_at.unwrap_or(now));
        }
        Err(RemoteError::Transient { message, retry_after }) if job.delete_requested_at.is_some() => {
            return fail(poller, job, after, message, retry_after, now).await;
        }
        Err(RemoteError::Transient { message, retry_after }) => {
            // Nobody waits for it, and the job's own words say why it ended.
            tracing::warn!(
                job = job.id.0,
                error = message.private(),
                "job {}: its queue could not be deleted yet",
                job.id
            );
            lifecycle::postpone(&mut after, &poller.limits(), retry_after, rand::random(), now);
            save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Later);
        }
    }
    after.attempts = 0;
    after.remote_deleted_at = Some(now);
    after.next_at = job.delete_requested_at.and(Some(now));
    save(poller, job, &after, Vec::new()).await?;
    Ok(if job.delete_requested_at.is_some() { After::Again } else { After::Later })
}

/// Files first: a row without files can be removed again, files without a row would stay for ever.
async fn remove<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    if let Err(error) = poller.logs.remove_job(job.id).await {
        tracing::error!(job = job.id.0, %error, "job {}: its files could not be removed", job.id);
        let message = format!("its files here can't be removed: {error}; see data_dir");
        return fail(poller, job, job.clone(), message, None, now).await;
    }
    let id = job.id;
    poller.store.write(move |c| jobs::remove_job(c, id)).await?;
    tracing::info!(job = job.id.0, "job {} deleted", job.id);
    poller.bell.ring_saved();
    Ok(After::Later)
}

/// Nothing is to be done now: the job is due again when its queue's retention is over, if ever.
async fn rest<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let next_at = lifecycle::remote_deletion_due_at(job, &poller.limits());
    if next_at != job.next_at {
        save(poller, job, &Job { next_at, ..job.clone() }, Vec::new()).await?;
    }
    Ok(After::Later)
}
