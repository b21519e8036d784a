//! The last look at the logs and results of a job that has ended, in passes of bounded size, so that a huge job gives
//! the loop back between them. What is here stands in the rows; what is missing, and so looked at only once, in memory.

use super::Poller;
use super::mirror::{MirrorError, Progress, mirror_log, mirror_task_log, note};
use super::outcome::{After, queue_of, save};
use crate::lifecycle;
use crate::logs::LogId;
use crate::remote::{Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::Job;
use crate::store::tasks::{self, ResultFile, Task};
use protocol::api::LogsState;
use protocol::names::is_result_path;
use protocol::{JobId, TaskStatus, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Calls of one pass over one job: some seconds at a server that is slow.
const CALLS_PER_PASS: u64 = 25;
/// Bytes of one pass over one job, beside the one file or log that it was reading when they were over.
const BYTES_PER_PASS: u64 = 64 * 1024 * 1024;
/// Most jobs whose passes are remembered; past that all begin again, which costs calls and nothing else.
const MOST_MARKS: usize = 10_000;

/// How far the passes over each job have come. Lost at a restart: what was missing is then looked at again.
#[derive(Default)]
pub struct Marks(Mutex<HashMap<JobId, Mark>>);

#[derive(Default)]
struct Mark {
    /// Tasks before this one are done with.
    n: i64,
    /// Of task `n`, in the order of their paths, result files up to this one are done with, and its log is.
    path: Option<String>,
    /// The first thing that the server does not have.
    missing: Option<Missing>,
}

/// What can't be had, however often one asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Missing {
    #[error("{0}")]
    Refused(Refusal),
    #[error("the remote server lists the result file {path} of {task_id} and does not have it")]
    File { task_id: String, path: String },
    #[error("the remote server lists the result file {path:?} of {task_id}, which is no path that can be kept")]
    BadPath { task_id: String, path: String },
}

impl Marks {
    fn take(&self, job: JobId) -> Mark {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&job).unwrap_or_default()
    }

    fn keep(&self, job: JobId, mark: Mark) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= MOST_MARKS {
            marks.clear();
        }
        marks.insert(job, mark);
    }
}

/// Mirrors the rest of a job that has ended; its logs are complete, or incomplete with a reason, or due again.
pub(super) async fn finish<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> Result<After, StoreError> {
    let mark = poller.marks.take(job.id);
    let mut pass = Pass { poller, job, mark, calls: CALLS_PER_PASS, bytes: BYTES_PER_PASS };
    let outcome = pass.run().await;
    let mark = pass.mark;
    let mut after = job.clone();
    let (message, retry_after) = match outcome {
        Ok(Progress::UpToDate) => return settle(poller, job, missing_words(job, mark.missing), now).await,
        Ok(Progress::More) => {
            poller.marks.keep(job.id, mark);
            after.attempts = 0;
            after.next_at = Some(now);
            save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Later);
        }
        Err(MirrorError::Store(error)) => return Err(error),
        Err(MirrorError::Remote(RemoteError::Transient { message, retry_after })) => (message.to_string(), retry_after),
        Err(MirrorError::Remote(error)) => (error.to_string(), None),
        Err(MirrorError::Local(error)) => {
            tracing::error!(job = job.id.0, error, "job {}: its logs could not be kept", job.id);
            (format!("could not be kept here: {error}"), None)
        }
    };
    if lifecycle::gives_up_mirroring(job, &poller.limits(), now) {
        tracing::error!(job = job.id.0, error = message, "job {}: gave up fetching its logs and results", job.id);
        return settle(poller, job, Some(message), now).await;
    }
    poller.marks.keep(job.id, mark);
    after.logs_error = Some(message);
    lifecycle::postpone(&mut after, &poller.limits(), retry_after, rand::random(), now);
    save(poller, job, &after, Vec::new()).await?;
    Ok(After::Later)
}

/// A queue that the server never had has no logs to miss.
fn missing_words(job: &Job, missing: Option<Missing>) -> Option<String> {
    let was_never_there = missing == Some(Missing::Refused(Refusal::UnknownId)) && job.accepted_at.is_none();
    missing.filter(|_| !was_never_there).map(|missing| missing.to_string())
}

async fn settle<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    missing: Option<String>,
    now: Timestamp,
) -> Result<After, StoreError> {
    let mut after = job.clone();
    after.logs_state = if missing.is_none() { LogsState::Complete } else { LogsState::Incomplete };
    after.logs_error = missing;
    after.attempts = 0;
    after.next_at = Some(now);
    save(poller, job, &after, Vec::new()).await?;
    Ok(After::Again)
}

struct Pass<'a, R> {
    poller: &'a Poller<R>,
    job: &'a Job,
    mark: Mark,
    /// What is left of this pass.
    calls: u64,
    bytes: u64,
}

impl<R: Remote> Pass<'_, R> {
    async fn run(&mut self) -> Result<Progress, MirrorError> {
        let id = self.job.id;
        let rows = self.poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
        for task in rows {
            if task.n < self.mark.n {
                continue;
            }
            if task.n > self.mark.n {
                (self.mark.n, self.mark.path) = (task.n, None);
            }
            if self.is_spent() || self.mirror_task(task).await? == Progress::More {
                return Ok(Progress::More);
            }
            (self.mark.n, self.mark.path) = (self.mark.n + 1, None);
        }
        match mirror_log(self.poller, self.job, LogId::Queue, &self.job.remote_queue_id).await {
            Ok((Progress::More, _)) => return Ok(Progress::More),
            Ok((Progress::UpToDate, _)) => {}
            Err(error) => self.miss(error)?,
        }
        self.poller.logs.sync(id, LogId::Queue).await.map_err(MirrorError::local)?;
        Ok(Progress::UpToDate)
    }

    fn is_spent(&self) -> bool {
        self.calls == 0 || self.bytes == 0
    }

    fn spend(&mut self, bytes: u64) {
        self.calls = self.calls.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// What the server does not have of one thing is no reason to leave the others behind: this is the last look.
    fn miss(&mut self, error: MirrorError) -> Result<(), MirrorError> {
        let MirrorError::Remote(RemoteError::Permanent(refusal)) = error else { return Err(error) };
        self.mark.missing.get_or_insert(Missing::Refused(refusal));
        Ok(())
    }

    /// A task's log and results. A task that never started has neither.
    async fn mirror_task(&mut self, mut task: Task) -> Result<Progress, MirrorError> {
        let never_started = task.started_at.is_none() && task.status == TaskStatus::Aborted;
        if never_started && !(task.log_complete && task.results_complete) {
            task.log_complete = true;
            task.results_complete = true;
            note(self.poller, &task).await?;
        }
        if !task.log_complete && self.mark.path.is_none() {
            let size_before = task.log_size;
            let outcome = mirror_task_log(self.poller, self.job, task.clone()).await;
            let read = outcome.as_ref().map_or(0, |(_, mirrored)| mirrored.log_size.saturating_sub(size_before));
            self.spend(u64::try_from(read).unwrap_or(0));
            match outcome {
                Ok((Progress::More, _)) => return Ok(Progress::More),
                Ok((Progress::UpToDate, mirrored)) => task = mirrored,
                Err(error) => self.miss(error)?,
            }
        }
        if task.results_complete { Ok(Progress::UpToDate) } else { self.mirror_results(task).await }
    }

    async fn mirror_results(&mut self, mut task: Task) -> Result<Progress, MirrorError> {
        let task_id = self.job.task_id(task.n);
        self.spend(0);
        let mut listed = match self.poller.remote.results(queue_of(self.job), &task_id).await {
            Ok(listed) => listed,
            Err(error) => return self.miss(error.into()).map(|()| Progress::UpToDate),
        };
        listed.sort_by(|a, b| a.path.cmp(&b.path));
        if self.mark.path.is_none() {
            // Of a pass that a restart forgot.
            let (id, n) = (self.job.id, task.n);
            self.poller.store.write(move |c| tasks::replace_results(c, id, n, Vec::new())).await?;
        }
        let done = self.mark.path.clone();
        let mut kept = Vec::new();
        let (mut is_whole, mut progress) = (true, Ok(Progress::UpToDate));
        for file in listed.into_iter().filter(|file| done.as_ref().is_none_or(|done| file.path > *done)) {
            if self.is_spent() {
                progress = Ok(Progress::More);
                break;
            }
            let path = file.path.clone();
            if !is_result_path(&path) {
                is_whole = false;
                self.mark.missing.get_or_insert(Missing::BadPath { task_id: task_id.clone(), path: path.clone() });
                self.mark.path = Some(path);
                continue;
            }
            match self.fetch(&task, &task_id, file.path, file.content_type).await {
                Ok(Some(file)) => kept.push(file),
                Ok(None) => {
                    is_whole = false;
                    self.mark.missing.get_or_insert(Missing::File { task_id: task_id.clone(), path: path.clone() });
                }
                Err(error) => {
                    if let Err(error) = self.miss(error) {
                        progress = Err(error);
                        break;
                    }
                    is_whole = false;
                }
            }
            self.mark.path = Some(path);
        }
        // With something missing, of this task or of another, a restart looks again.
        task.results_complete = is_whole && self.mark.missing.is_none() && matches!(progress, Ok(Progress::UpToDate));
        let noted = move |c: &mut crate::store::AnyConnection| {
            tasks::save_mirrored(c, &task)?;
            tasks::add_results(c, kept)
        };
        self.poller.store.write(noted).await?;
        progress
    }

    /// One result file; `None` where the server does not have it.
    async fn fetch(
        &mut self,
        task: &Task,
        task_id: &str,
        path: String,
        content_type: String,
    ) -> Result<Option<ResultFile>, MirrorError> {
        let target = self.poller.logs.result_target(self.job.id, task.n, &path).await.map_err(MirrorError::local)?;
        let fetched = self.poller.remote.fetch_result(queue_of(self.job), task_id, &path, &target).await;
        self.spend(fetched.as_ref().map_or(0, |size| size.unwrap_or(0)));
        let size = fetched?.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
        Ok(size.map(|size| ResultFile { job_id: self.job.id, n: task.n, path, size, content_type }))
    }
}
