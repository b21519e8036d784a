//! Keeps here what the remote server has of logs, piece by piece while a job runs; the rest follows in `finish`.
//! The length of a log here is where the next piece begins, so a crash in between costs nothing.

use super::Poller;
use super::outcome::queue_of;
use crate::logs::LogId;
use crate::remote::{Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::{self, Job};
use crate::store::tasks::{self, Task};
use protocol::TaskStatus;

/// Pieces of one log in one pass, so that one huge log does not hold up the others; the rest follows in the next pass.
const PIECES_PER_PASS: usize = 8;

/// Why something could not be mirrored now.
pub(super) enum MirrorError {
    Remote(RemoteError),
    Local(String),
    Store(StoreError),
}

impl MirrorError {
    #[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
    pub(super) fn local(error: std::io::Error) -> Self {
        Self::Local(error.to_string())
    }
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
pub(super) enum Progress {
    More,
    UpToDate,
}

/// Mirrors what a running job has written since. What the server can't give now is asked for again after the next status.
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

/// Reads on in a task's log and notes how much of it is here.
pub(super) async fn mirror_task_log<R: Remote>(
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
        poller.logs.sync(job.id, log).await.map_err(MirrorError::local)?;
    }
    if task.log_size != log_size || task.log_complete != log_complete {
        task.log_size = log_size;
        task.log_complete = log_complete;
        note(poller, &task).await?;
    }
    Ok((progress, task))
}

/// Reads a log on from where it ends here; also how long it is now.
pub(super) async fn mirror_log<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    log: LogId,
    log_id: &str,
) -> Result<(Progress, u64), MirrorError> {
    let mut size = poller.logs.size(job.id, log).await.map_err(MirrorError::local)?;
    for _ in 0..PIECES_PER_PASS {
        let piece = poller.remote.log_piece(queue_of(job), log_id, size).await?;
        if piece.is_empty() {
            return Ok((Progress::UpToDate, size));
        }
        size = poller.logs.append(job.id, log, size, piece).await.map_err(MirrorError::local)?;
    }
    Ok((Progress::More, size))
}

pub(super) async fn note<R: Remote>(poller: &Poller<R>, task: &Task) -> Result<(), StoreError> {
    let task = task.clone();
    poller.store.write(move |c| tasks::save_mirrored(c, &task)).await
}
