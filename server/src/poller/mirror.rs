//! Keeps here what the remote server has of logs and result files: piece by piece while a job runs, the rest when it
//! has ended. The length of a log here is where the next piece begins, so a crash in between costs nothing.

use super::Poller;
use super::outcome::{After, queue_of, save};
use crate::lifecycle;
use crate::logs::LogId;
use crate::remote::{Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::{self, Job};
use crate::store::tasks::{self, ResultFile, Task};
use protocol::api::LogsState;
use protocol::{JobStatus, TaskStatus, Timestamp};

/// Pieces of one log in one pass, so that one huge log does not hold up the others; the rest follows in the next pass.
const PIECES_PER_PASS: usize = 8;

/// Why something could not be mirrored now.
enum MirrorError {
    Remote(RemoteError),
    Local(String),
    Store(StoreError),
}

impl From<RemoteError> for MirrorError {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl From<StoreError> for MirrorError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Whether all that there is was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    More,
    UpToDate,
}

/// Mirrors what a job that has not ended has written since. A failure shows in its own time: the next look repeats it.
pub(super) async fn follow<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<(), StoreError> {
    match follow_logs(poller, job).await {
        Ok(()) => {}
        Err(MirrorError::Store(error)) => return Err(error),
        Err(MirrorError::Remote(error)) => {
            tracing::debug!(job = job.id.0, %error, "job {}: a log could not be followed", job.id);
        }
        Err(MirrorError::Local(error)) => {
            tracing::error!(job = job.id.0, error, "job {}: a log could not be kept", job.id);
        }
    }
    Ok(())
}

async fn follow_logs<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<(), MirrorError> {
    if job.status == JobStatus::Waiting {
        return Ok(());
    }
    let id = job.id;
    let rows = poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
    let mut has_new_whole_log = false;
    for task in rows.into_iter().filter(|task| task.status != TaskStatus::Waiting && !task.log_complete) {
        match mirror_task_log(poller, job, task).await {
            Ok((_, task)) => has_new_whole_log |= task.log_complete,
            // One log that the server does not have is no reason to leave the others behind.
            Err(MirrorError::Remote(RemoteError::Permanent(_))) => {}
            Err(error) => return Err(error),
        }
    }
    if has_new_whole_log {
        // Its size will not change any more, so readers may as well see it.
        poller.store.write(move |c| jobs::bump_revision(c, id)).await?;
        poller.bell.ring_saved();
    }
    mirror_log(poller, job, LogId::Queue, &job.remote_queue_id).await?;
    Ok(())
}

/// Mirrors the rest of a job that has ended; its logs are complete, or incomplete with a reason, or due again.
pub(super) async fn finish<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    let mut after = job.clone();
    let outcome = mirror_rest(poller, job).await;
    let is_settled = match outcome {
        Ok(Progress::UpToDate) => {
            after.logs_state = LogsState::Complete;
            after.logs_error = None;
            true
        }
        Ok(Progress::More) => {
            after.attempts = 0;
            after.next_at = Some(now);
            save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Later);
        }
        Err(MirrorError::Remote(RemoteError::Permanent(refusal))) => {
            // A queue that the server never had has no logs to miss.
            let was_never_there = refusal == Refusal::UnknownId && job.accepted_at.is_none();
            after.logs_state = if was_never_there { LogsState::Complete } else { LogsState::Incomplete };
            after.logs_error = (!was_never_there).then(|| refusal.to_string());
            true
        }
        Err(MirrorError::Remote(RemoteError::Transient { message, retry_after })) => {
            after.logs_error = Some(message);
            lifecycle::postpone(&mut after, &poller.limits(), retry_after, rand::random(), now);
            false
        }
        Err(MirrorError::Local(message)) => {
            tracing::error!(job = job.id.0, error = message, "job {}: its logs could not be kept", job.id);
            after.logs_error = Some(format!("could not be kept here: {message}"));
            lifecycle::postpone(&mut after, &poller.limits(), None, rand::random(), now);
            false
        }
        Err(MirrorError::Store(error)) => return Err(error),
    };
    if is_settled {
        after.attempts = 0;
        after.next_at = Some(now);
    }
    save(poller, job, &after, Vec::new()).await?;
    Ok(if is_settled { After::Again } else { After::Later })
}

async fn mirror_rest<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<Progress, MirrorError> {
    let id = job.id;
    let rows = poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
    // What the server does not have of one task is no reason to leave the others behind: this is the last look.
    let mut refusal = None;
    for task in rows {
        match mirror_task(poller, job, task).await {
            Ok(Progress::UpToDate) => {}
            Ok(Progress::More) => return Ok(Progress::More),
            Err(MirrorError::Remote(RemoteError::Permanent(refused))) => refusal = refusal.or(Some(refused)),
            Err(error) => return Err(error),
        }
    }
    let (progress, _) = mirror_log(poller, job, LogId::Queue, &job.remote_queue_id).await?;
    if progress == Progress::More {
        return Ok(Progress::More);
    }
    poller.logs.sync(id, LogId::Queue).await.map_err(|error| MirrorError::Local(error.to_string()))?;
    match refusal {
        Some(refusal) => Err(MirrorError::Remote(RemoteError::Permanent(refusal))),
        None => Ok(Progress::UpToDate),
    }
}

/// A task's log and results. A task that never started has neither.
async fn mirror_task<R: Remote>(poller: &Poller<R>, job: &Job, task: Task) -> Result<Progress, MirrorError> {
    let mut task = task;
    let never_started = task.started_at.is_none() && task.status == TaskStatus::Aborted;
    if never_started && !(task.log_complete && task.results_complete) {
        task.log_complete = true;
        task.results_complete = true;
        note(poller, &task).await?;
    }
    let mut refusal = None;
    if !task.log_complete {
        match mirror_task_log(poller, job, task.clone()).await {
            Ok((Progress::More, _)) => return Ok(Progress::More),
            Ok((Progress::UpToDate, mirrored)) => task = mirrored,
            Err(MirrorError::Remote(RemoteError::Permanent(refused))) => refusal = Some(refused),
            Err(error) => return Err(error),
        }
    }
    if !task.results_complete {
        mirror_results(poller, job, task).await?;
    }
    match refusal {
        Some(refusal) => Err(MirrorError::Remote(RemoteError::Permanent(refusal))),
        None => Ok(Progress::UpToDate),
    }
}

/// Reads on in a task's log and notes how much of it is here.
async fn mirror_task_log<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    mut task: Task,
) -> Result<(Progress, Task), MirrorError> {
    let log = LogId::Task(task.n);
    let (progress, size) = mirror_log(poller, job, log, &job.task_id(task.n)).await?;
    let log_size = i64::try_from(size).unwrap_or(i64::MAX);
    // The status was known before the log was read, so an ended task's log that is up to date is whole.
    let log_complete = progress == Progress::UpToDate && task.status.is_terminal();
    if log_complete {
        poller.logs.sync(job.id, log).await.map_err(|error| MirrorError::Local(error.to_string()))?;
    }
    if task.log_size != log_size || task.log_complete != log_complete {
        task.log_size = log_size;
        task.log_complete = log_complete;
        note(poller, &task).await?;
    }
    Ok((progress, task))
}

/// Reads a log on from where it ends here; also how long it is now.
async fn mirror_log<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    log: LogId,
    log_id: &str,
) -> Result<(Progress, u64), MirrorError> {
    let local = |error: std::io::Error| MirrorError::Local(error.to_string());
    let mut size = poller.logs.size(job.id, log).await.map_err(local)?;
    for _ in 0..PIECES_PER_PASS {
        let piece = poller.remote.log_piece(queue_of(job), log_id, size).await?;
        if piece.is_empty() {
            return Ok((Progress::UpToDate, size));
        }
        size = poller.logs.append(job.id, log, size, piece).await.map_err(local)?;
    }
    Ok((Progress::More, size))
}

async fn mirror_results<R: Remote>(poller: &Poller<R>, job: &Job, mut task: Task) -> Result<(), MirrorError> {
    let task_id = job.task_id(task.n);
    let mut files = Vec::new();
    for file in poller.remote.results(queue_of(job), &task_id).await? {
        let target = poller.logs.result_target(job.id, task.n, &file.path).await;
        let target = target.map_err(|error| MirrorError::Local(error.to_string()))?;
        let size = poller.remote.fetch_result(queue_of(job), &task_id, &file.path, &target).await?;
        files.push(ResultFile {
            job_id: job.id,
            n: task.n,
            path: file.path,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            content_type: file.content_type,
        });
    }
    task.results_complete = true;
    let (id, n) = (job.id, task.n);
    let noted = move |c: &mut crate::store::AnyConnection| {
        tasks::save_mirrored(c, &task)?;
        tasks::replace_results(c, id, n, files)
    };
    Ok(poller.store.write(noted).await?)
}

async fn note<R: Remote>(poller: &Poller<R>, task: &Task) -> Result<(), StoreError> {
    let task = task.clone();
    poller.store.write(move |c| tasks::save_mirrored(c, &task)).await
}
