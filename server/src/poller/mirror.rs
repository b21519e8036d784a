//! Keeps here what the remote server has of logs, piece by piece while a job runs; the rest follows in `finish`.
//! The length of a log here is where the next piece begins, so a crash in between costs nothing.

use super::Poller;
use super::lanes::Errand;
use super::missing::{Missing, shown};
use super::outcome::{queue_of, save};
use crate::logs::{LogId, is_full};
use crate::metrics::process;
use crate::remote::{LogPiece, Reach, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::{self, Job};
use crate::store::tasks::{self, Task};
use protocol::size::in_units;

/// Pieces of one log in one pass, so that one huge log does not hold up the others; the rest follows in the next pass.
const PIECES_PER_PASS: usize = 8;
/// Logs that the server may fail at in one pass; then it is left alone until its next status, since each may take its time.
const MAX_FAILURES: u32 = 8;

/// Why something could not be mirrored now.
pub(super) enum MirrorError {
    Remote(RemoteError),
    /// The disk has no room. Nothing is wrong with this job, and it is tried for as long as it takes.
    Full(String),
    Local(String),
    Store(StoreError),
}

impl MirrorError {
    #[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
    pub(super) fn local(error: std::io::Error) -> Self {
        if is_full(&error) { Self::Full(error.to_string()) } else { Self::Local(error.to_string()) }
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

/// What a look at a log has brought.
pub(super) struct Looked {
    pub(super) progress: Progress,
    /// Bytes that are here now.
    pub(super) size: u64,
    /// Why not all of it is, or will be, here.
    pub(super) missing: Option<Missing>,
    /// The server keeps logs, or at least this one.
    pub(super) is_kept_there: bool,
}

/// Mirrors what a running job has written since. What the server can't give now is asked for again after the next answer
/// about its status.
pub(super) async fn follow<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<(), StoreError> {
    let local = match follow_logs(poller, job).await {
        Ok(Progress::UpToDate) => {
            poller.marks.followed(job.id);
            None
        }
        Ok(Progress::More) => {
            poller.lanes.follow(job);
            None
        }
        Err(MirrorError::Store(error)) => return Err(error),
        Err(MirrorError::Remote(error)) => {
            let error = error.private();
            tracing::debug!(job = job.id.0, error, "job {}: a log could not be followed", job.id);
            None
        }
        Err(MirrorError::Full(words)) => Some(words),
        Err(MirrorError::Local(error)) => {
            tracing::error!(job = job.id.0, error, "job {}: a log could not be kept", job.id);
            Some(format!("could not be kept here: {error}"))
        }
    };
    tell(poller, job, local.or_else(|| poller.marks.first_trouble(job.id))).await
}

/// Says in a running job's row what is wrong with its logs, or that nothing is any more.
pub(super) async fn tell<R: Remote>(poller: &Poller<R>, job: &Job, words: Option<String>) -> Result<(), StoreError> {
    if job.logs_error != words {
        // Somebody else has changed the job: they are told after its next status.
        save(poller, job, &Job { logs_error: words, ..job.clone() }, Vec::new()).await?;
    }
    Ok(())
}

async fn follow_logs<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<Progress, MirrorError> {
    let id = job.id;
    let rows = poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
    let to_follow = poller.marks.to_follow(id, rows, poller.logs.limits().log_bytes);
    let said = poller.marks.said(id).unwrap_or_default();
    let (mut has_new_whole_log, mut has_more, mut failure, mut failures) = (false, false, None, 0);
    for task in to_follow.tasks {
        let n = task.n;
        match mirror_task_log(poller, job, task, said.get(&n).copied()).await {
            Ok((looked, task)) => {
                has_new_whole_log |= task.log_complete;
                has_more |= looked.progress == Progress::More;
                // It may come yet, and is told at the end if it has not.
                let words = looked.missing.filter(|missing| !missing.may_come());
                poller.marks.trouble(id, n, words.map(|missing| missing.to_string()));
            }
            // One log that the server does not have, or fails at, is no reason to leave the others behind.
            Err(MirrorError::Remote(RemoteError::Permanent(_))) => {}
            Err(MirrorError::Remote(error)) if error.reach() == Reach::Answered => {
                failure.get_or_insert(error);
                failures += 1;
                if failures == MAX_FAILURES {
                    poller.marks.stopped_at(id, n);
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    if has_new_whole_log {
        // Its size will not change any more, so readers may as well see it.
        poller.write(move |c| jobs::bump_revision(c, id)).await?;
        poller.bell.ring_saved();
    }
    if to_follow.queue_log {
        let looked = mirror_log(poller, job, LogId::Queue, &job.remote_queue_id, None).await?;
        has_more |= looked.progress == Progress::More;
        poller.marks.trouble(id, 0, looked.missing.map(|missing| missing.to_string()));
    }
    match failure {
        Some(failure) => Err(failure.into()),
        None if has_more => Ok(Progress::More),
        None => Ok(Progress::UpToDate),
    }
}

/// Reads on in a task's log and notes how much of it is here. `said` is what a status named as its size.
pub(super) async fn mirror_task_log<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    mut task: Task,
    said: Option<u64>,
) -> Result<(Looked, Task), MirrorError> {
    let log = LogId::Task(task.n);
    let looked = mirror_log(poller, job, log, &job.task_id(task.n), said).await?;
    let log_size = i64::try_from(looked.size).unwrap_or(i64::MAX);
    // The status was known before the log was read, so an ended task's log that is up to date is whole. Of one that seems
    // not to be kept there the last look finds out.
    let is_whole = looked.progress == Progress::UpToDate && looked.missing.is_none() && looked.is_kept_there;
    let log_complete = is_whole && task.status.is_terminal();
    if log_complete {
        poller.logs.sync(job.id, log).await.map_err(MirrorError::local)?;
    }
    if task.log_size != log_size || task.log_complete != log_complete {
        task.log_size = log_size;
        task.log_complete = log_complete;
        note(poller, &task).await?;
    }
    Ok((looked, task))
}

/// Notes that there is no more of a task's log than is here, since the server, which knows the task, keeps none.
pub(super) async fn complete_without<R: Remote>(poller: &Poller<R>, task: Task) -> Result<Task, MirrorError> {
    let task = Task { log_complete: true, ..task };
    note(poller, &task).await?;
    Ok(task)
}

/// Reads a log on from where it ends here.
pub(super) async fn mirror_log<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    log: LogId,
    log_id: &str,
    said: Option<u64>,
) -> Result<Looked, MirrorError> {
    let limit = poller.logs.limits().log_bytes;
    let mut size = poller.logs.size(job.id, log).await.map_err(MirrorError::local)?;
    let done = |size, missing| Looked { progress: Progress::UpToDate, size, missing, is_kept_there: true };
    let too_long = || Missing::LongLog { log_id: shown(log_id), limit: in_units(limit) };
    for _ in 0..PIECES_PER_PASS {
        if size > limit {
            // With the mark that says so.
            return Ok(done(size, Some(too_long())));
        }
        let turn = poller.marks.log_turns.take(Errand::of(job)).await;
        let answer = poller.log_piece(queue_of(job), log_id, size).await;
        let Some(LogPiece { mut bytes, total }) = answer? else {
            // What the server has told the size of, or given a part of, it keeps: then somebody else has answered.
            let missing = match said.filter(|said| *said > size) {
                Some(said) if size == 0 => Some(Missing::NoLog { log_id: shown(log_id), said }),
                None if size > 0 && said.is_none() => Some(Missing::LostLog { log_id: shown(log_id), kept: size }),
                _ => shorter_than_said(log_id, size, said),
            };
            return Ok(Looked { is_kept_there: false, ..done(size, missing) });
        };
        if let Some(total) = total.filter(|total| *total < size) {
            return Ok(done(size, Some(Missing::CutLog { log_id: shown(log_id), kept: size, total })));
        }
        if bytes.is_empty() {
            return Ok(done(size, shorter_than_said(log_id, size, total.max(said))));
        }
        let room = usize::try_from(limit - size).unwrap_or(usize::MAX);
        let is_too_long = bytes.len() > room;
        bytes.truncate(room);
        process::mirrored(poller.name(), bytes.len() as u64);
        size = poller.logs.append(job.id, log, size, bytes).await.map_err(MirrorError::local)?;
        drop(turn);
        if is_too_long {
            let mark = cut_mark(limit).into_bytes();
            size = poller.logs.append(job.id, log, limit, mark).await.map_err(MirrorError::local)?;
            poller.logs.sync(job.id, log).await.map_err(MirrorError::local)?;
            return Ok(done(size, Some(too_long())));
        }
        if total == Some(size) {
            return Ok(done(size, shorter_than_said(log_id, size, said)));
        }
    }
    Ok(Looked { progress: Progress::More, ..done(size, None) })
}

fn shorter_than_said(log_id: &str, kept: u64, said: Option<u64>) -> Option<Missing> {
    let said = said.filter(|said| *said > kept)?;
    Some(Missing::ShortLog { log_id: shown(log_id), kept, said })
}

/// The last line of a log that is too long.
fn cut_mark(limit: u64) -> String {
    format!("\n[TestArena: cut here, because this log is longer than {} (max_log_bytes)]\n", in_units(limit))
}

pub(super) async fn note<R: Remote>(poller: &Poller<R>, task: &Task) -> Result<(), StoreError> {
    let task = task.clone();
    poller.write(move |c| tasks::save_mirrored(c, &task)).await
}
