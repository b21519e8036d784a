//! Asks the remote server about a job's queue, or takes in what it said by itself, and saves what changed.
//! What a queue's status leaves out is asked task by task, so that older servers are understood.

use super::Poller;
use super::outcome::{After, end_by_refusal, fail, queue_of, save};
use crate::lifecycle::{self, Observed, Seen};
use crate::remote::{Answer, Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::Job;
use crate::store::tasks::{self, Task};
use protocol::remote::{QueueBody, QueueTask, TaskBody};
use protocol::{QueueStatus, TaskStatus, Timestamp};

pub(super) async fn ask<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    match poller.remote.queue_status(queue_of(job), job.remote_etag.as_deref()).await {
        Ok(Some(answer)) => take_status(poller, job, answer, now).await,
        Ok(None) => take_unchanged(poller, job, now).await,
        Err(error) => take_failure(poller, job, error, now).await,
    }
}

/// The status is what it was.
async fn take_unchanged<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    let mut after = job.clone();
    lifecycle::mark_synced(&mut after, now);
    // At its limit the whole status is wanted, to reckon on the server's clock.
    let is_due = job.next_at.is_some_and(|due| due <= now);
    if is_due {
        after.remote_etag = None;
    }
    if is_due || after.sync_state != job.sync_state || after.sync_error != job.sync_error {
        save(poller, job, &after, Vec::new()).await?;
    }
    poller.lanes.follow(job);
    Ok(if is_due { After::Again } else { After::Later })
}

/// Takes in what the server says of a queue, whether it was asked or said so by itself.
pub(super) async fn take_status<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    answer: Answer<QueueBody>,
    now: Timestamp,
) -> Result<After, StoreError> {
    let id = job.id;
    let rows = poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
    let said = match complete_tasks(poller, job, &rows, &answer.body).await {
        Ok(said) => said,
        Err(error) => return take_failure(poller, job, error, now).await,
    };
    let seen = Seen { queue: &answer.body, tasks: &said, server_now: answer.server_now, etag: answer.etag.as_deref() };
    let Observed { job: after, changed_tasks } = lifecycle::observe(job, &rows, seen, &poller.limits(), now);
    let has_ended = after.status.is_terminal() && !job.status.is_terminal();
    let is_past_limit = after.abort_requested_at.is_some() && job.abort_requested_at.is_none();
    if !save(poller, job, &after, changed_tasks).await? {
        return Ok(After::Again);
    }
    if has_ended {
        tracing::info!(job = job.id.0, status = %after.status, "job {} ended as {}", job.id, after.status);
    } else {
        poller.lanes.follow(&after);
    }
    Ok(if has_ended || is_past_limit { After::Again } else { After::Later })
}

async fn take_failure<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    error: RemoteError,
    now: Timestamp,
) -> Result<After, StoreError> {
    match error {
        RemoteError::Permanent(refusal) => end_by_refusal(poller, job, &refusal, now).await,
        RemoteError::Transient { message, retry_after } => {
            fail(poller, job, job.clone(), message, retry_after, now).await
        }
    }
}

/// The queue's tasks as the server has them, completed by questions about those that its status says too little of.
async fn complete_tasks<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    rows: &[Task],
    queue: &QueueBody,
) -> Result<Vec<QueueTask>, RemoteError> {
    let mut said = queue.tasks.clone().unwrap_or_default();
    if queue.status == QueueStatus::Waiting {
        return Ok(said);
    }
    for row in rows.iter().filter(|row| !row.status.is_terminal()) {
        let task_id = job.task_id(row.n);
        let position = said.iter().position(|task| task.task_id == task_id);
        if position.is_some_and(|at| says_all(&said[at], row, queue)) {
            continue;
        }
        let answer = match poller.remote.task_status(queue_of(job), &task_id).await {
            Ok(answer) => answer,
            // It knows the queue: what that says of the task is all there is.
            Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => continue,
            Err(error) => return Err(error),
        };
        let task = as_queue_task(task_id, answer.body);
        match position {
            Some(at) => said[at] = task,
            None => said.push(task),
        }
    }
    Ok(said)
}

/// Whether a task's entry in its queue's status tells all that is new of it.
fn says_all(task: &QueueTask, row: &Task, queue: &QueueBody) -> bool {
    match task.status {
        TaskStatus::Waiting => !queue.status.is_terminal(),
        TaskStatus::Running => !queue.status.is_terminal() && task.started_at.or(row.started_at).is_some(),
        TaskStatus::Aborted | TaskStatus::Skipped => true,
        TaskStatus::Passed | TaskStatus::Failed | TaskStatus::Error => task.finished_at.is_some(),
    }
}

fn as_queue_task(task_id: String, task: TaskBody) -> QueueTask {
    QueueTask {
        task_id,
        scenario: task.scenario,
        status: task.status,
        progress: task.progress,
        message: task.message,
        log_size: task.log_size,
        started_at: task.started_at,
        finished_at: task.finished_at,
        exit_code: task.exit_code,
    }
}
