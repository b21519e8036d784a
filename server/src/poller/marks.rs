//! What is remembered of each job's files between passes: what its status said of its logs, and how far the last look
//! has come. Lost at a restart, and at the begin of each term, which costs some calls, and begins the time anew after which
//! it is not waited for any longer how a task has ended.

use super::in_a_row::InARow;
use super::lanes::Turns;
use super::missing::{Doubt, Missing};
use crate::lifecycle;
use crate::store::jobs::Job;
use crate::store::tasks::Task;
use protocol::remote::{QueueBody, QueueTask, RemoteFile};
use protocol::{JobId, QueueStatus, TaskStatus, Timestamp, names};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Most jobs that are remembered; past that all begin again.
const MOST_MARKS: usize = 50_000;
/// Most listed files that are remembered, over all jobs; past that a list is asked for once more.
const MOST_LISTED: usize = 200_000;
/// Pieces of logs that are held in memory at once, of running jobs and of ended ones each, of a few MiB.
const LOG_PIECES_AT_ONCE: usize = 8;
/// Result files on their way at once, over all jobs of the environment.
const FILES_AT_ONCE: usize = 32;
/// No status tells when a queue's own log grows, so it is asked for with the others, and not more often than this.
const QUEUE_LOG_INTERVAL: Duration = Duration::from_secs(5);

/// One environment's.
pub struct Marks {
    jobs: Mutex<HashMap<JobId, Mark>>,
    /// Files in all the lists that are kept there.
    listed: AtomicUsize,
    /// Whether the last status that could told how large each of its logs is.
    tells_log_sizes: AtomicBool,
    pub(super) log_turns: Turns,
    pub(super) file_turns: Semaphore,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            jobs: Mutex::default(),
            listed: AtomicUsize::new(0),
            tells_log_sizes: AtomicBool::new(false),
            log_turns: Turns::of(LOG_PIECES_AT_ONCE),
            file_turns: Semaphore::new(FILES_AT_ONCE),
        }
    }
}

#[derive(Default)]
struct Mark {
    said: Option<Said>,
    /// What the last status said has been fetched.
    is_followed: bool,
    queue_log_asked_at: Option<Instant>,
    /// The task at which the last question about the tasks had enough of a server that does not answer.
    unanswered_at: i64,
    /// How often the server did not tell how a task of the ended queue did, with an answer and without one.
    untold: Untold,
    /// The task at whose log the last pass had enough of a server that fails.
    stopped_at: i64,
    /// What is wrong with the logs of a running job, by task; 0 is the queue's own.
    troubles: BTreeMap<i64, String>,
    last_look: LastLook,
}

#[derive(Clone, Copy, Default)]
struct Untold {
    answered: InARow,
    unanswered: InARow,
}

impl Untold {
    fn of(&mut self, is_answered: bool) -> &mut InARow {
        if is_answered { &mut self.answered } else { &mut self.unanswered }
    }
}

/// Sizes of logs in the last status, by task.
pub(super) type Said = BTreeMap<i64, u64>;

/// How far the look at an ended job has come.
#[derive(Default)]
pub(super) struct LastLook {
    pub(super) tasks: BTreeMap<i64, TaskLook>,
    /// The last of the tasks that a pass had looked at when it had enough.
    pub(super) stopped_at: i64,
    /// The first thing that can't be had.
    pub(super) missing: Option<Missing>,
    pub(super) doubt: Option<Doubt>,
}

#[derive(Default)]
pub(super) struct TaskLook {
    pub(super) log_is_done: bool,
    /// Listed, and still to be fetched; `None`: not yet listed.
    pub(super) files: Option<VecDeque<RemoteFile>>,
    /// Could not be had in this pass.
    pub(super) again: Vec<RemoteFile>,
    /// Something listed is not here.
    pub(super) lacks_files: bool,
    pub(super) results_are_done: bool,
}

/// The logs of a running job that may have grown.
pub(super) struct ToFollow {
    pub(super) tasks: Vec<Task>,
    pub(super) queue_log: bool,
}

impl Marks {
    fn locked(&self) -> MutexGuard<'_, HashMap<JobId, Mark>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, job: JobId, work: impl FnOnce(&mut Mark) -> T) -> T {
        let mut marks = self.locked();
        if marks.len() >= MOST_MARKS && !marks.contains_key(&job) {
            marks.clear();
            self.listed.store(0, Ordering::Relaxed);
        }
        work(marks.entry(job).or_default())
    }

    /// Takes in what a queue's status says of its logs.
    pub(super) fn heard(&self, job: &Job, rows: &[Task], queue: &QueueBody) {
        if let Some(tells) = tells_log_sizes(queue) {
            self.tells_log_sizes.store(tells, Ordering::Relaxed);
        }
        if queue.status == QueueStatus::Waiting {
            if let Some(mark) = self.locked().get_mut(&job.id) {
                // It ran, and its own log says why it waits again.
                (mark.is_followed, mark.queue_log_asked_at) = (false, None);
            }
            return;
        }
        let said: Said = own(job, rows, queue).filter_map(|(task, row)| Some((row.n, task.log_size?))).collect();
        self.with(job.id, |mark| (mark.said, mark.is_followed) = (Some(said), false));
    }

    /// Whether the server tells in its statuses how long the logs are.
    pub(super) fn tells_log_sizes(&self) -> bool {
        self.tells_log_sizes.load(Ordering::Relaxed)
    }

    pub(super) fn said(&self, job: JobId) -> Option<Said> {
        self.locked().get(&job).and_then(|mark| mark.said.clone())
    }

    /// Which logs to ask for after a status. One that nobody tells the size of is asked for each time, unless the
    /// server tells sizes and has said nothing new since.
    pub(super) fn to_follow(&self, job: JobId, tasks: Vec<Task>, log_limit: u64) -> ToFollow {
        let tells_sizes = self.tells_log_sizes();
        self.with(job, |mark| {
            let nothing_new = tells_sizes && mark.is_followed;
            let may_have_grown = |task: &Task| {
                let size = task.log_size.unsigned_abs();
                if task.log_complete || task.status == TaskStatus::Waiting || size > log_limit {
                    return false;
                }
                let said = mark.said.as_ref().and_then(|said| said.get(&task.n));
                task.status.is_terminal() || said.map_or(!nothing_new, |said| *said > size)
            };
            let now = Instant::now();
            let is_soon = mark.queue_log_asked_at.is_some_and(|asked| now < asked + QUEUE_LOG_INTERVAL);
            let is_left_out = nothing_new || (tells_sizes && is_soon);
            let queue_log = !is_left_out;
            if queue_log {
                mark.queue_log_asked_at = Some(now);
            }
            // So that no failing logs keep the same others behind them.
            let (before, after): (Vec<_>, Vec<_>) =
                tasks.into_iter().filter(may_have_grown).partition(|task| task.n <= mark.stopped_at);
            ToFollow { tasks: after.into_iter().chain(before).collect(), queue_log }
        })
    }

    /// Whether all is here that the last status told of.
    pub(super) fn is_followed(&self, job: JobId) -> bool {
        self.locked().get(&job).is_some_and(|mark| mark.is_followed)
    }

    pub(super) fn followed(&self, job: JobId) {
        self.with(job, |mark| mark.is_followed = true);
    }

    /// The next questions about its tasks begin behind this one.
    pub(super) fn no_answer_at(&self, job: JobId, n: i64) {
        self.with(job, |mark| mark.unanswered_at = n);
    }

    pub(super) fn unanswered_at(&self, job: JobId) -> i64 {
        self.locked().get(&job).map_or(0, |mark| mark.unanswered_at)
    }

    /// The server has again not told how a task of an ended queue did; whether that is not waited for any longer.
    pub(super) fn is_never_told(&self, job: JobId, is_answered: bool, now: Timestamp) -> bool {
        let (count, since) = self.with(job, |mark| mark.untold.of(is_answered).note(now));
        lifecycle::is_never_told(count, since, is_answered, now)
    }

    /// Whether the next answer that does not tell it is the last one.
    pub(super) fn has_told_enough(&self, job: JobId, now: Timestamp) -> bool {
        let untold = self.locked().get(&job).map(|mark| mark.untold.answered).unwrap_or_default();
        untold.since.is_some_and(|since| lifecycle::is_never_told(untold.count + 1, since, true, now))
    }

    /// The server was away: what it did not tell before says nothing of what it tells now.
    pub(super) fn forget_untold(&self) {
        self.locked().values_mut().for_each(|mark| mark.untold = Untold::default());
    }

    /// This machine's clock was set by `step` milliseconds: what has begun did so no longer ago than before.
    pub(super) fn move_by(&self, step: i64) {
        for mark in self.locked().values_mut() {
            mark.untold.answered.move_by(step);
            mark.untold.unanswered.move_by(step);
            if let Some(doubt) = &mut mark.last_look.doubt {
                doubt.move_by(step);
            }
        }
    }

    /// Another process may have fetched since.
    pub(super) fn forget_all(&self) {
        self.locked().clear();
        self.listed.store(0, Ordering::Relaxed);
    }

    /// The next pass begins behind this task's log.
    pub(super) fn stopped_at(&self, job: JobId, n: i64) {
        self.with(job, |mark| mark.stopped_at = n);
    }

    /// Notes what is wrong with a log of a running job, or that nothing is.
    pub(super) fn trouble(&self, job: JobId, n: i64, words: Option<String>) {
        self.with(job, |mark| match words {
            Some(words) => drop(mark.troubles.insert(n, words)),
            None => drop(mark.troubles.remove(&n)),
        });
    }

    pub(super) fn first_trouble(&self, job: JobId) -> Option<String> {
        self.locked().get(&job).and_then(|mark| mark.troubles.values().next().cloned())
    }

    pub(super) fn take_look(&self, job: JobId) -> LastLook {
        let look = self.locked().get_mut(&job).map(|mark| std::mem::take(&mut mark.last_look)).unwrap_or_default();
        self.listed.fetch_sub(look.listed(), Ordering::Relaxed);
        look
    }

    pub(super) fn keep_look(&self, job: JobId, mut look: LastLook) {
        if self.listed.load(Ordering::Relaxed) + look.listed() > MOST_LISTED {
            look.tasks.values_mut().for_each(|task| (task.files, task.again) = (None, Vec::new()));
        }
        self.listed.fetch_add(look.listed(), Ordering::Relaxed);
        let before = self.with(job, |mark| std::mem::replace(&mut mark.last_look, look));
        self.listed.fetch_sub(before.listed(), Ordering::Relaxed);
    }

    /// Nothing more is fetched of it.
    pub(super) fn forget(&self, job: JobId) {
        let forgotten = self.locked().remove(&job);
        self.listed.fetch_sub(forgotten.map_or(0, |mark| mark.last_look.listed()), Ordering::Relaxed);
    }
}

/// `None` where it says nothing: a task that waits has no log yet.
fn tells_log_sizes(queue: &QueueBody) -> Option<bool> {
    let tasks = queue.tasks.as_deref().unwrap_or_default();
    let is_left_out = tasks.iter().any(|task| task.log_size.is_none() && task.status != TaskStatus::Waiting);
    (is_left_out || tasks.iter().any(|task| task.log_size.is_some())).then_some(!is_left_out)
}

/// What a status says of the job's own tasks, each with its row. Whatever else a server lists, and however much of it, is
/// nobody's.
fn own<'a>(job: &Job, rows: &'a [Task], queue: &'a QueueBody) -> impl Iterator<Item = (&'a QueueTask, &'a Task)> {
    queue.tasks.iter().flatten().filter_map(move |task| {
        let (queue_id, n) = names::split_task_id(&task.task_id)?;
        let at = rows.binary_search_by_key(&i64::from(n), |row| row.n).ok()?;
        (queue_id == job.remote_queue_id).then(|| (task, &rows[at]))
    })
}

/// Whether one of the logs that a status speaks of may have grown since it was read.
pub(super) fn may_have_grown(job: &Job, rows: &[Task], queue: &QueueBody) -> bool {
    let has_news = |(said, row): (&QueueTask, &Task)| {
        said.log_size > u64::try_from(row.log_size).ok() || said.status.is_terminal()
    };
    tells_log_sizes(queue) != Some(true) || own(job, rows, queue).any(has_news)
}

impl LastLook {
    fn listed(&self) -> usize {
        self.tasks.values().map(|task| task.again.len() + task.files.as_ref().map_or(0, VecDeque::len)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::jobs::NewJob;
    use protocol::UserId;
    use serde_json::json;

    fn queue(tasks: serde_json::Value) -> QueueBody {
        serde_json::from_value(json!({"id": "1", "kind": "queue", "status": "running", "tasks": tasks})).unwrap()
    }

    #[test]
    fn a_task_that_waits_does_not_say_whether_sizes_are_told() {
        let waiting = json!({"task_id": "1-2", "scenario": "b", "status": "waiting"});
        let sized = json!({"task_id": "1-1", "scenario": "a", "status": "running", "log_size": 4});
        let bare = json!({"task_id": "1-1", "scenario": "a", "status": "running"});
        assert_eq!(tells_log_sizes(&queue(json!([sized, waiting]))), Some(true));
        assert_eq!(tells_log_sizes(&queue(json!([bare, waiting]))), Some(false));
        assert_eq!(tells_log_sizes(&queue(json!([waiting]))), None);
        let none_yet = json!({"task_id": "1-1", "scenario": "a", "status": "waiting", "log_size": 0});
        assert_eq!(tells_log_sizes(&queue(json!([none_yet]))), Some(true));
        assert_eq!(tells_log_sizes(&queue(json!(null))), None);
    }

    #[test]
    fn what_is_listed_beside_the_jobs_own_tasks_is_not_remembered() {
        let new = NewJob {
            instance: "i".to_owned(),
            user_id: UserId(1),
            environment: "bench-a".to_owned(),
            queue_id_prefix: String::new(),
            branch_name: "main".to_owned(),
            commit: "c".repeat(40),
            scenarios: vec!["a".to_owned(), "b".to_owned()],
            rerun_of: None,
            timeout: Duration::from_hours(1),
        };
        let (job, marks) = (Job::new(JobId(1), &new, Timestamp(1)), Marks::default());
        let rows = [1, 2].map(|n| Task::new(job.id, n, "a".to_owned()));
        let sized = |id: String| json!({"task_id": id, "scenario": "a", "status": "running", "log_size": 4});
        let ids = (1..=5).map(|n| format!("1-{n}")).chain(["2-2", "1", "1-x", ""].map(str::to_owned));
        marks.heard(&job, &rows, &queue(json!(ids.map(sized).collect::<Vec<_>>())));
        assert_eq!(marks.said(job.id), Some(Said::from([(1, 4), (2, 4)])));
    }
}
