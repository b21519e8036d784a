//! One pass of bounded size over the logs and result files of an ended job: several tasks and many files at once,
//! each list asked for once, and rows written for many files together.

mod batch;

use super::Poller;
use super::marks::{LastLook, Said, TaskLook};
use super::mirror::{MirrorError, Progress, complete_without, mirror_log, mirror_task_log};
use super::missing::{Missing, shown};
use super::outcome::queue_of;
use super::result_files::worth_keeping;
use crate::logs::{Budget, LogId};
use crate::remote::{Reach, Refusal, Remote, RemoteError};
use crate::store::AnyConnection;
use crate::store::jobs::Job;
use crate::store::tasks::{self, Task};
use futures_util::stream::{self, StreamExt};
use protocol::TaskStatus;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// After so long the loop gets a pass back, so that other jobs' files come in between.
const PASS_TIME: Duration = Duration::from_secs(2);
/// Bytes of one pass over one job, beside what it was reading when they were over.
const PASS_BYTES: u64 = 64 * 1024 * 1024;
/// Enough to hide latency, few enough to spare the server.
const TASKS_AT_ONCE: usize = 8;
/// Failures in one pass after which the server is left alone for a while.
const MAX_FAILURES: usize = 8;

pub(super) struct Pass<'a, R> {
    poller: &'a Poller<R>,
    job: &'a Job,
    look: LastLook,
    until: Instant,
    bytes: u64,
    /// The first thing that is missing and may yet come.
    doubted: Option<Missing>,
    /// The first failure, which is no reason to leave the others behind unless there are many.
    failure: Option<MirrorError>,
    failures: usize,
    files: u64,
    /// Something new is here.
    brings_any: bool,
    budget: Budget,
    /// Whether the server says that it knows the queue; asked once a pass, where it keeps no logs or no results.
    knows_queue: OnceCell<()>,
}

/// What a look at one task's log and list has brought.
struct TaskSeen {
    task: Task,
    look: TaskLook,
    missing: Vec<Missing>,
    bytes: u64,
    has_more: bool,
    failure: Option<MirrorError>,
}

impl<'a, R: Remote> Pass<'a, R> {
    pub(super) fn new(poller: &'a Poller<R>, job: &'a Job) -> Self {
        let mut look = poller.marks.take_look(job.id);
        for task in look.tasks.values_mut() {
            if !task.again.is_empty() {
                // Listed anew, since what could not be had may be another by now.
                (task.files, task.again) = (None, Vec::new());
            }
        }
        Self {
            poller,
            job,
            look,
            until: Instant::now() + PASS_TIME,
            bytes: PASS_BYTES,
            doubted: None,
            failure: None,
            failures: 0,
            files: 0,
            brings_any: false,
            budget: Budget::new(0),
            knows_queue: OnceCell::new(),
        }
    }

    /// How far it has come, and what is missing that may yet come.
    pub(super) fn into_parts(self) -> (LastLook, Option<Missing>) {
        (self.look, self.doubted)
    }

    pub(super) async fn run(&mut self) -> Result<Progress, MirrorError> {
        let id = self.job.id;
        let read = move |c: &mut AnyConnection| Ok((tasks::find_tasks(c, id)?, tasks::sum_results(c, id)?));
        let (rows, kept) = self.poller.store.read(read).await?;
        self.files = kept.files;
        self.budget = Budget::new(self.poller.logs.limits().results_bytes.saturating_sub(kept.bytes));
        let said = self.said(&rows).await;
        let open = self.close_unstarted(rows).await?;
        let mut has_more = false;
        // Behind those with which the last pass has stopped, so that what fails each time keeps the same others from
        // being looked at in none.
        let (before, behind): (Vec<_>, Vec<_>) = open.into_iter().partition(|task| task.n <= self.look.stopped_at);
        let mut open = behind.into_iter().chain(before).peekable();
        while open.peek().is_some() {
            if self.is_spent() {
                return self.more();
            }
            let group: Vec<Task> = open.by_ref().take(TASKS_AT_ONCE).collect();
            let last = group.last().map_or(0, |task| task.n);
            let group = self.look_at(group, &said).await?;
            has_more |= group.has_more;
            // Also where their logs have failed: what could be listed is here before it is left.
            if self.fetch_files(group.tasks).await? == Progress::More {
                return self.more();
            }
            self.look.stopped_at = last;
            if self.has_enough() {
                break;
            }
        }
        has_more |= self.mirror_queue_log().await? == Progress::More;
        self.poller.logs.sync(id, LogId::Queue).await.map_err(MirrorError::local)?;
        match self.failure.take() {
            Some(failure) => Err(failure),
            None if has_more => Ok(Progress::More),
            None => Ok(Progress::UpToDate),
        }
    }

    /// The pass is over before all was looked at. One that has only met failures goes on after a pause.
    fn more(&mut self) -> Result<Progress, MirrorError> {
        let failure = self.failure.take().filter(|_| !self.brings_any);
        failure.map_or(Ok(Progress::More), Err)
    }

    fn is_spent(&self) -> bool {
        self.bytes == 0 || Instant::now() >= self.until
    }

    /// Leaves the tasks of which something may still be fetched. One that never started has neither log nor results.
    async fn close_unstarted(&self, rows: Vec<Task>) -> Result<Vec<Task>, MirrorError> {
        let is_done = |task: &Task| {
            let look = self.look.tasks.get(&task.n);
            let log = task.log_complete || look.is_some_and(|look| look.log_is_done);
            log && (task.results_complete || look.is_some_and(|look| look.results_are_done))
        };
        let open = rows.into_iter().filter(|task| !is_done(task));
        let (unstarted, open): (Vec<Task>, Vec<Task>) =
            open.partition(|task| task.started_at.is_none() && task.status == TaskStatus::Aborted);
        if !unstarted.is_empty() {
            let note = move |c: &mut AnyConnection| {
                unstarted.into_iter().try_for_each(|task| {
                    tasks::save_mirrored(c, &Task { log_complete: true, results_complete: true, ..task })
                })
            };
            self.poller.write(note).await?;
        }
        Ok(open)
    }

    /// How large the last status said the logs are. After a restart nobody remembers, so it is asked for again.
    async fn said(&self, rows: &[Task]) -> Said {
        if let Some(said) = self.poller.marks.said(self.job.id) {
            return said;
        }
        if self.job.accepted_at.is_none() {
            return Said::new();
        }
        if let Ok(Some(answer)) = self.poller.remote.queue_status(queue_of(self.job), None).await {
            self.poller.marks.heard(self.job, rows, &answer.body);
            // That it knows the queue need not be asked again.
            let _ = self.knows_queue.set(());
        }
        self.poller.marks.said(self.job.id).unwrap_or_default()
    }

    async fn look_at(&mut self, group: Vec<Task>, said: &Said) -> Result<Group, MirrorError> {
        let mut looks = Vec::with_capacity(group.len());
        for task in group {
            let look = self.look.tasks.remove(&task.n).unwrap_or_default();
            looks.push((task, look));
        }
        let this = &*self;
        let seen: Vec<TaskSeen> = stream::iter(looks)
            .map(|(task, look)| {
                let said = said.get(&task.n).copied();
                this.look_at_task(task, look, said)
            })
            .buffer_unordered(TASKS_AT_ONCE)
            .collect()
            .await;
        let mut group = Group { tasks: Vec::new(), has_more: false };
        let mut worst = None;
        for seen in seen {
            self.bytes = self.bytes.saturating_sub(seen.bytes);
            self.brings_any |= seen.bytes > 0;
            group.has_more |= seen.has_more;
            for missing in seen.missing {
                self.miss(missing);
            }
            self.look.tasks.insert(seen.task.n, seen.look);
            group.tasks.push(seen.task);
            match seen.failure {
                Some(error @ (MirrorError::Full(_) | MirrorError::Store(_))) => worst = Some(error),
                Some(error) => self.fail(error),
                None => {}
            }
        }
        worst.map_or(Ok(group), Err)
    }

    async fn look_at_task(&self, task: Task, look: TaskLook, said: Option<u64>) -> TaskSeen {
        let mut seen = TaskSeen { task, look, missing: Vec::new(), bytes: 0, has_more: false, failure: None };
        if !seen.task.log_complete && !seen.look.log_is_done {
            seen.failure = self.look_at_log(&mut seen, said).await.err();
        }
        // A log that can't be read, such as one on a bad block, says nothing of the files.
        let is_answered = match &seen.failure {
            None => true,
            Some(MirrorError::Remote(error)) => error.reach() == Reach::Answered,
            Some(_) => false,
        };
        let is_to_be_listed = !seen.task.results_complete && !seen.look.results_are_done && seen.look.files.is_none();
        if is_answered && is_to_be_listed {
            let failure = self.list_files(&mut seen).await.err();
            seen.failure = seen.failure.or(failure);
        }
        seen
    }

    async fn look_at_log(&self, seen: &mut TaskSeen, said: Option<u64>) -> Result<(), MirrorError> {
        let before = seen.task.log_size;
        let (looked, mut task) = match mirror_task_log(self.poller, self.job, seen.task.clone(), said).await {
            Ok(looked) => looked,
            Err(error) => return refused(error, &mut seen.missing),
        };
        if !looked.is_kept_there {
            if let Err(error) = self.ask_whether_known().await {
                return refused(error, &mut seen.missing);
            }
            if looked.missing.is_none() {
                task = complete_without(self.poller, task).await?;
            }
        }
        seen.bytes = u64::try_from(task.log_size.saturating_sub(before)).unwrap_or(0);
        seen.has_more = looked.progress == Progress::More;
        seen.look.log_is_done = task.log_complete || looked.missing.as_ref().is_some_and(Missing::is_final);
        seen.missing.extend(looked.missing);
        seen.task = task;
        Ok(())
    }

    async fn list_files(&self, seen: &mut TaskSeen) -> Result<(), MirrorError> {
        let (id, n, task_id) = (self.job.id, seen.task.n, self.job.task_id(seen.task.n));
        let answer = self.poller.results(queue_of(self.job), &task_id).await;
        let listed = match answer {
            Ok(Some(listed)) => listed,
            Ok(None) => {
                if let Err(error) = self.ask_whether_known().await {
                    return refused(error, &mut seen.missing);
                }
                Vec::new()
            }
            Err(RemoteError::Transient { message, .. }) if message.is_too_long() => {
                seen.look.lacks_files = true;
                seen.missing.push(Missing::LongList { task_id: shown(&task_id) });
                seen.look.files = Some(VecDeque::new());
                return Ok(());
            }
            Err(error) => return refused(error.into(), &mut seen.missing),
        };
        // Of a pass that a restart forgot.
        let here = self.poller.store.read(move |c| tasks::find_results(c, id, n)).await?;
        let (files, bad) = worth_keeping(listed, &here);
        seen.look.lacks_files = bad.is_some();
        seen.missing.extend(bad.map(|path| Missing::BadPath { task_id, path: shown(&path) }));
        seen.look.files = Some(files);
        Ok(())
    }

    /// A server that keeps no logs has to know the queue all the same: else it is some other address that answers.
    async fn ask_whether_known(&self) -> Result<(), MirrorError> {
        let ask = || async {
            let is_vague = self.poller.environment.plain_404_means_unknown;
            match self.poller.remote.queue_status(queue_of(self.job), None).await {
                Ok(_) => Ok(()),
                // It speaks the contract, so what it said of the logs is its own word.
                Err(RemoteError::Permanent(Refusal::UnknownId)) if !is_vague => Ok(()),
                Err(error) => Err(MirrorError::from(error)),
            }
        };
        self.knows_queue.get_or_try_init(ask).await.copied()
    }

    fn miss(&mut self, missing: Missing) {
        let place = if missing.is_final() { &mut self.look.missing } else { &mut self.doubted };
        // What is a loss comes first.
        if place.as_ref().is_none_or(Missing::is_no_loss) {
            *place = Some(missing);
        }
    }

    fn fail(&mut self, error: MirrorError) {
        self.failures += 1;
        self.failure.get_or_insert(error);
    }

    fn has_enough(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    async fn mirror_queue_log(&mut self) -> Result<Progress, MirrorError> {
        let mut missing = Vec::new();
        let progress = match self.look_at_queue_log(&mut missing).await {
            Ok(progress) => progress,
            Err(error) => refused(error, &mut missing).map(|()| Progress::UpToDate)?,
        };
        for missing in missing {
            self.miss(missing);
        }
        Ok(progress)
    }

    async fn look_at_queue_log(&self, missing: &mut Vec<Missing>) -> Result<Progress, MirrorError> {
        let looked = mirror_log(self.poller, self.job, LogId::Queue, &self.job.remote_queue_id, None).await?;
        if !looked.is_kept_there {
            self.ask_whether_known().await?;
        }
        missing.extend(looked.missing);
        Ok(looked.progress)
    }
}

/// What the server refuses of one thing is no reason to leave the others behind: this is the last look.
fn refused(error: MirrorError, missing: &mut Vec<Missing>) -> Result<(), MirrorError> {
    let MirrorError::Remote(RemoteError::Permanent(refusal)) = error else { return Err(error) };
    missing.push(Missing::Refused(refusal));
    Ok(())
}

struct Group {
    tasks: Vec<Task>,
    has_more: bool,
}
