//! The model of a remote test server: what the contract says that one does, on a clock that may be wrong.
//! It knows what it did, so that what TestArena says of it can be compared.

use crate::profile::Profile;
use protocol::remote::{QueueBody, QueueRequest, QueueTask};
use protocol::{QueueStatus, TaskStatus, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A server ends a queue so long after its limit by itself.
const OVERTIME: Duration = Duration::from_mins(1);

/// One call on its way, which arrives when its caller has long given it up.
type Late = (Duration, Box<dyn FnOnce(&mut Bench) + Send>);

pub struct Bench {
    profile: Profile,
    now: Duration,
    pub queues: BTreeMap<String, Queue>,
    /// Deleted, or aborted while unknown.
    gone: BTreeSet<String>,
    pub workspaces: BTreeSet<String>,
    late: Vec<Late>,
    changes: u64,
    /// How often each queue came into being.
    pub begun: BTreeMap<String, u64>,
    /// Lost for good, with all that they were doing.
    pub forgotten: BTreeSet<String>,
    /// Submissions in the order in which they first came.
    pub arrived: Vec<String>,
    /// Queues of which something was told.
    pub told: BTreeSet<String>,
    /// Calls that did nothing after the faults.
    pub hollow_in_peace: BTreeSet<String>,
    /// What is wrong with what was asked.
    pub complaints: Vec<String>,
}

/// What the server was told to run, and how that goes.
pub struct Queue {
    pub instance: String,
    pub request: QueueRequest,
    created: Duration,
    /// In line, before it starts.
    wait: Duration,
    put_back: Option<PutBack>,
    tasks: Vec<Plan>,
    /// When it takes effect.
    aborted: Option<Duration>,
    shown: Vec<u8>,
    changed: u64,
}

#[derive(Clone)]
pub struct Plan {
    pub takes: Duration,
    pub ends_as: TaskStatus,
    /// Bytes of log a second.
    pub talks: u64,
}

/// A start that comes to nothing: the queue runs for so long, and then waits again.
#[derive(Clone, Copy)]
pub struct PutBack {
    pub after: Duration,
    pub waits: Duration,
}

/// How a queue is going to go.
pub struct Script {
    pub wait: Duration,
    pub put_back: Option<PutBack>,
    pub tasks: Vec<Plan>,
}

impl Bench {
    pub fn new(profile: &Profile) -> Self {
        Self {
            profile: profile.clone(),
            now: Duration::ZERO,
            queues: BTreeMap::new(),
            gone: BTreeSet::new(),
            workspaces: BTreeSet::new(),
            late: Vec::new(),
            changes: 0,
            begun: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            arrived: Vec::new(),
            told: BTreeSet::new(),
            hollow_in_peace: BTreeSet::new(),
            complaints: Vec::new(),
        }
    }

    /// Lets the time go on to `now`, with all that comes to pass meanwhile.
    pub fn go_on(&mut self, now: Duration) {
        self.late.sort_by_key(|(at, _)| *at);
        while self.late.first().is_some_and(|(at, _)| *at <= now) {
            let (at, arrive) = self.late.remove(0);
            self.now = self.now.max(at);
            arrive(self);
        }
        self.now = now;
        for queue in self.queues.values_mut() {
            let shown = queue.fingerprint(now);
            if shown != queue.shown {
                self.changes += 1;
                (queue.shown, queue.changed) = (shown, self.changes);
            }
        }
    }

    pub fn deliver_late(&mut self, at: Duration, arrive: impl FnOnce(&mut Self) + Send + 'static) {
        self.late.push((at, Box::new(arrive)));
    }

    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn is_gone(&self, id: &str) -> bool {
        self.profile.remembers_deleted && self.gone.contains(id)
    }

    pub fn accept(&mut self, instance: &str, request: &QueueRequest, script: Script) {
        let id = request.queue_id.clone();
        *self.begun.entry(id.clone()).or_default() += 1;
        self.workspaces.insert(id.clone());
        let queue = Queue {
            instance: instance.to_owned(),
            request: request.clone(),
            created: self.now,
            wait: script.wait,
            put_back: script.put_back,
            tasks: script.tasks,
            aborted: None,
            shown: Vec::new(),
            changed: 0,
        };
        self.queues.insert(id, queue);
    }

    /// A running one ends after `lag`; an ended one stays as it is.
    pub fn abort(&mut self, id: &str, lag: Duration) {
        let now = self.now;
        let Some(queue) = self.queues.get_mut(id) else {
            self.gone.insert(id.to_owned());
            return;
        };
        if !queue.status(now).is_terminal() {
            queue.aborted = Some(queue.aborted.map_or(now + lag, |at| at.min(now + lag)));
        }
    }

    pub fn delete(&mut self, id: &str) {
        self.queues.remove(id);
        self.gone.insert(id.to_owned());
    }

    /// A queue is lost, and what it was doing with it.
    pub fn forget(&mut self, id: &str) {
        if self.queues.remove(id).is_some() {
            self.forgotten.insert(id.to_owned());
        }
    }

    pub fn is_running(&self, id: &str) -> bool {
        self.queues.get(id).is_some_and(|queue| !queue.status(self.now).is_terminal())
    }

    /// Whether a queue waits again after it has begun to run.
    pub fn is_put_back(&self, id: &str) -> bool {
        self.queues.get(id).is_some_and(|queue| queue.put_back.is_some())
    }

    /// For how long a queue has really run; not at all while it waits.
    pub fn ran_for(&self, id: &str) -> Option<Duration> {
        let queue = self.queues.get(id)?;
        let until = queue.end().min(self.now);
        Some(queue.started_at(self.now).map_or(Duration::ZERO, |started| until.saturating_sub(started)))
    }

    pub fn status(&self, id: &str, wall: impl Fn(Duration) -> Timestamp) -> Option<QueueBody> {
        let queue = self.queues.get(id)?;
        let now = self.now;
        let started = queue.started_at(now);
        let ended = Some(queue.end()).filter(|at| *at <= now);
        let before =
            self.queues.values().filter(|other| other.started_at(now).is_none() && other.created < queue.created);
        let tasks = self.profile.lists_tasks.then(|| queue.tasks(id, now, self.profile.tells_log_sizes, &wall));
        Some(QueueBody {
            id: id.to_owned(),
            status: queue.status(now),
            position: started.is_none().then(|| u32::try_from(before.count() + 1).unwrap_or(1)),
            created_at: Some(wall(queue.created)),
            started_at: started.map(&wall),
            finished_at: ended.map(&wall),
            message: String::new(),
            tasks,
        })
    }

    pub fn task(&self, task_id: &str, wall: impl Fn(Duration) -> Timestamp) -> Option<QueueTask> {
        let (id, _) = task_id.split_once('-')?;
        let queue = self.queues.get(id)?;
        queue.tasks(id, self.now, true, &wall).into_iter().find(|task| task.task_id == task_id)
    }

    /// Queues of an instance that changed after `since`; without one every unfinished queue.
    pub fn changed_since(&self, instance: &str, since: Option<u64>) -> Vec<String> {
        let is_new = |queue: &Queue| match since {
            Some(since) => queue.changed > since,
            None => !queue.status(self.now).is_terminal(),
        };
        let mut found: Vec<_> =
            self.queues.iter().filter(|(_, queue)| queue.instance == instance && is_new(queue)).collect();
        found.sort_by_key(|(_, queue)| queue.changed);
        found.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// A task's log as far as it is written.
    pub fn log(&self, log_id: &str) -> Option<Vec<u8>> {
        let Some((id, n)) = log_id.split_once('-') else {
            let queue = self.queues.get(log_id)?;
            let started = queue.has_started(self.now);
            return Some(if started { format!("queue {log_id} begins\n").into_bytes() } else { Vec::new() });
        };
        let at = n.parse::<usize>().ok()?.checked_sub(1)?;
        let queue = self.queues.get(id)?;
        let size = queue.log_size(at, self.now)?;
        let line = format!("{log_id} says a line\n");
        Some(line.bytes().cycle().take(usize::try_from(size).unwrap_or(0)).collect())
    }
}

impl Queue {
    /// The number of its last change.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// When it starts for good.
    fn start(&self) -> Duration {
        let again = self.put_back.map_or(Duration::ZERO, |put_back| put_back.after + put_back.waits);
        self.first_start() + again
    }

    fn first_start(&self) -> Duration {
        self.created + self.wait
    }

    fn planned_end(&self) -> Duration {
        let runs = self.tasks.iter().map(|plan| plan.takes).sum();
        let limit = Duration::from_secs(self.request.timeout_s) + OVERTIME;
        self.start() + limit.min(runs)
    }

    /// Longer than its limit, and ended by the server itself.
    fn is_too_long(&self) -> bool {
        let runs: Duration = self.tasks.iter().map(|plan| plan.takes).sum();
        runs > Duration::from_secs(self.request.timeout_s) + OVERTIME
    }

    /// When it ends, or will.
    fn end(&self) -> Duration {
        let planned = self.planned_end();
        self.aborted.map_or(planned, |at| at.min(planned))
    }

    /// Not while it waits again.
    fn started_at(&self, now: Duration) -> Option<Duration> {
        // It stays as it ended.
        let now = self.aborted.map_or(now, |at| at.min(now));
        let is_begun = |start: &Duration| *start <= now && self.aborted.is_none_or(|at| *start < at);
        let put_back_at = self.put_back.map(|put_back| self.first_start() + put_back.after);
        let seemed_to = Some(self.first_start()).filter(|_| put_back_at.is_some_and(|at| now < at));
        seemed_to.filter(is_begun).or_else(|| Some(self.start()).filter(is_begun))
    }

    fn has_started(&self, now: Duration) -> bool {
        let first = self.first_start();
        first <= now && self.aborted.is_none_or(|at| first < at)
    }

    pub fn status(&self, now: Duration) -> QueueStatus {
        let is_ended = self.end() <= now;
        let is_aborted = self.is_too_long() || self.aborted.is_some_and(|at| at < self.planned_end());
        match (is_ended, is_aborted) {
            (true, true) => QueueStatus::Aborted,
            (true, false) => QueueStatus::Finished,
            (false, _) if self.started_at(now).is_some() => QueueStatus::Running,
            (false, _) => QueueStatus::Waiting,
        }
    }

    /// When task `at` starts and ends, if nothing comes between.
    fn planned(&self, at: usize) -> (Duration, Duration) {
        let before: Duration = self.tasks[..at].iter().map(|plan| plan.takes).sum();
        let start = self.start() + before;
        (start, start + self.tasks[at].takes)
    }

    fn log_size(&self, at: usize, now: Duration) -> Option<u64> {
        let plan = self.tasks.get(at)?;
        let (start, end) = self.planned(at);
        let until = now.min(end).min(self.end());
        Some(until.saturating_sub(start).as_secs() * plan.talks)
    }

    fn task_status(&self, at: usize, now: Duration) -> TaskStatus {
        let (start, end) = self.planned(at);
        let is_cut = self.end() <= now && self.end() < end;
        match () {
            () if is_cut => TaskStatus::Aborted,
            () if now >= end => self.tasks[at].ends_as,
            () if now >= start && self.started_at(now).is_some() => TaskStatus::Running,
            () => TaskStatus::Waiting,
        }
    }

    fn tasks(
        &self,
        id: &str,
        now: Duration,
        with_sizes: bool,
        wall: &impl Fn(Duration) -> Timestamp,
    ) -> Vec<QueueTask> {
        let entry = |at: usize| {
            let status = self.task_status(at, now);
            let (start, end) = self.planned(at);
            let over = self.end();
            let is_started = start <= now && start < over;
            QueueTask {
                task_id: format!("{id}-{}", at + 1),
                scenario: self.request.tasks[at].scenario.clone(),
                status,
                progress: (status == TaskStatus::Running).then_some(0.5),
                message: String::new(),
                log_size: if with_sizes { self.log_size(at, now) } else { None },
                started_at: is_started.then(|| wall(start)),
                finished_at: (status.is_terminal() && is_started).then(|| wall(end.min(over))),
                exit_code: None,
            }
        };
        (0..self.tasks.len()).map(entry).collect()
    }

    /// What tells whether something changed that a reader sees.
    fn fingerprint(&self, now: Duration) -> Vec<u8> {
        let tasks = (0..self.tasks.len()).flat_map(|at| {
            let size = self.log_size(at, now).unwrap_or(0) / 1_000;
            [self.task_status(at, now) as u8, u8::try_from(size % 251).unwrap_or(0)]
        });
        std::iter::once(self.status(now) as u8).chain(tasks).collect()
    }
}
