//! Looks at the database after every step of anybody, and knows what was promised to whom.
//! What must never happen is noticed at the step at which it does.

use crate::ground::Ground;
use crate::world::World;
use futures_util::FutureExt;
use protocol::api::SyncState;
use protocol::{JobId, JobStatus, TaskStatus, Timestamp, reason};
use server::lifecycle::{CLOCK_TOLERANCE, OVERTIME};
use server::remote::{Reach, RemoteError};
use server::store::environments::find_environment_status;
use server::store::jobs::{Job, find_jobs};
use server::store::listing::synced_at;
use server::store::tasks::{Task, find_tasks};
use server::store::{AnyConnection, QueryResult, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

/// More than any run submits.
const MOST_JOBS: i64 = 50;
/// Where SQLite counts its commits in the index of the write-ahead log.
const COMMITS_AT: u64 = 8;
/// By so much a limit may be judged early, since servers tell whole seconds and answers take their time.
const TOLERANCE: Duration = Duration::from_secs(2);

/// More questions about one queue than this in a minute are asked by no plan, whatever fails: one that somebody looks at is
/// asked about every 5 seconds.
const MOST_QUESTIONS: u32 = 40;
/// A process that calls so rarely still takes part.
const RAREST_CALLS: Duration = Duration::from_secs(25);
/// Two may take part at once for so long: what the one has begun before the other took over is seen through.
const LONGEST_HANDOVER: Duration = Duration::from_secs(150);

pub struct Witness {
    store: Store,
    commits: Option<[u8; 4]>,
    /// Beside the database.
    shared_memory: PathBuf,
    jobs: BTreeMap<JobId, Seen>,
    /// Submissions whose sender does not know what came of them.
    unclear: BTreeSet<String>,
    /// When each process called the server the last time, and since when two of them do.
    calls: BTreeMap<String, Duration>,
    two_call_since: Option<Duration>,
    /// The minute in which each queue was asked about the last time, and how often in that.
    asked: BTreeMap<String, (u64, u32)>,
    /// What was promised, and when.
    pub submitted: BTreeSet<JobId>,
    pub abort_promised: BTreeMap<JobId, Duration>,
    pub deletion_promised: BTreeMap<JobId, Duration>,
    /// Removed or ended by an admin without the server's word.
    pub forced: BTreeSet<JobId>,
}

struct Seen {
    job: Job,
    tasks: Vec<Task>,
    synced_at: Option<Timestamp>,
    /// The age of the world at which it was to be sent first, by its row, and was first seen running.
    sent: Option<Duration>,
    running: Option<Duration>,
}

impl Witness {
    pub fn new(ground: &Ground) -> Self {
        Self {
            store: ground.observe(),
            commits: None,
            shared_memory: ground.shared_memory(),
            jobs: BTreeMap::new(),
            unclear: BTreeSet::new(),
            calls: BTreeMap::new(),
            two_call_since: None,
            asked: BTreeMap::new(),
            submitted: BTreeSet::new(),
            abort_promised: BTreeMap::new(),
            deletion_promised: BTreeMap::new(),
            forced: BTreeSet::new(),
        }
    }

    fn read<T: Send + 'static>(&self, query: impl FnOnce(&mut AnyConnection) -> QueryResult<T> + Send + 'static) -> T {
        self.store.read(query).now_or_never().expect("it never waits").expect("the database can be read")
    }

    /// SQLite's own counter, in the header of its index of the write-ahead log: asking the database would take most of
    /// the time of a run.
    fn count_commits(&self) -> Option<[u8; 4]> {
        let mut counter = [0; 4];
        File::open(&self.shared_memory).ok()?.read_exact_at(&mut counter, COMMITS_AT).ok()?;
        Some(counter)
    }

    pub fn look(&mut self, world: &World) {
        for complaint in std::mem::take(&mut world.bench().complaints) {
            world.breaks(complaint);
        }
        let commits = self.count_commits();
        if commits.is_some() && commits == self.commits {
            return;
        }
        self.commits = commits;
        let (rows, mut tasks, round_at) = self.read(|c| {
            let ids: Vec<JobId> = (1..=MOST_JOBS).map(JobId).collect();
            let rows = find_jobs(c, &ids)?;
            let tasks = rows.iter().map(|job| Ok((job.id, find_tasks(c, job.id)?)));
            let tasks = tasks.collect::<QueryResult<BTreeMap<JobId, Vec<Task>>>>()?;
            Ok((rows, tasks, find_environment_status(c, "bench")?.and_then(|status| status.round_at)))
        });
        let rows: BTreeMap<JobId, Job> = rows.into_iter().map(|job| (job.id, job)).collect();
        for (id, seen) in &self.jobs {
            if !rows.contains_key(id) && seen.job.delete_requested_at.is_none() && !self.forced.contains(id) {
                world.breaks(format!("job {id} is gone, and nobody wanted that"));
            }
        }
        let mut jobs = BTreeMap::new();
        for (id, job) in rows {
            let synced_at = synced_at(job.status, job.sync_state, job.last_synced_at, round_at);
            let before = self.jobs.get(&id);
            let since = |was: Option<Duration>, is_so: bool| was.or_else(|| is_so.then(|| world.age()));
            // The row says when, before a slow database has it.
            let attempt = job.submit_attempted_at.map(|at| world.age().saturating_sub(world.now().since(at)));
            let sent = before.and_then(|seen| seen.sent).or(attempt);
            let ran = before.and_then(|seen| seen.running);
            let running = since(ran, job.seen_running_at.is_some()).filter(|_| job.seen_running_at.is_some());
            let tasks = tasks.remove(&id).unwrap_or_default();
            let now = Seen { job, tasks, synced_at, sent, running };
            if let Some(before) = before {
                compare(world, before, &now);
                compare_tasks(world, &before.tasks, &now.tasks);
            }
            jobs.insert(id, now);
        }
        self.jobs = jobs;
    }

    /// Of several processes one polls, but for a moment after another took over.
    pub fn is_called(&mut self, world: &World, process: &str, call: &'static str, id: &str) {
        let now = world.age();
        if call == "status" {
            let (minute, count) = self.asked.entry(id.to_owned()).or_default();
            let this_minute = now.as_secs() / 60;
            (*minute, *count) = (this_minute, if *minute == this_minute { *count + 1 } else { 1 });
            if *count == MOST_QUESTIONS {
                world.breaks(format!("queue {id} was asked about {MOST_QUESTIONS} times in a minute"));
            }
        }
        let is_other = |(name, at): (&String, &Duration)| name != process && now.saturating_sub(*at) < RAREST_CALLS;
        let two_call = self.calls.iter().any(is_other);
        self.two_call_since = self.two_call_since.or(Some(now)).filter(|_| two_call);
        if self.two_call_since.is_some_and(|since| now.saturating_sub(since) > LONGEST_HANDOVER) {
            world.breaks(format!("two processes have called the server for {LONGEST_HANDOVER:?}"));
            self.two_call_since = None;
        }
        self.calls.insert(process.to_owned(), now);
    }

    /// A submission leaves.
    pub fn is_sent(&mut self, world: &World, queue: &str) {
        if !self.unclear.insert(queue.to_owned()) {
            world.breaks(format!("queue {queue} was sent again, and nobody had asked what came of the first time"));
        }
    }

    pub fn is_answered<T>(&mut self, queue: &str, answer: &Result<T, RemoteError>) {
        let is_clear = match answer {
            Ok(_) | Err(RemoteError::Permanent(_)) => true,
            Err(RemoteError::Transient { message, retry_after }) => {
                retry_after.is_some() || message.reach() == Reach::Unsent
            }
        };
        if is_clear {
            self.unclear.remove(queue);
        }
    }

    /// The server has told what it knows of a queue.
    pub fn has_asked(&mut self, queue: &str) {
        self.unclear.remove(queue);
    }

    /// The jobs as they stand.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().map(|seen| &seen.job)
    }

    pub fn find(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|seen| &seen.job)
    }
}

fn compare(world: &World, seen: &Seen, looked: &Seen) {
    let (before, now) = (&seen.job, &looked.job);
    let id = now.id;
    let require = |is_so: bool, words: &str| {
        if !is_so {
            world.breaks(format!("job {id} {words}: {}", difference(before, now)));
        }
    };
    let rank = |status: JobStatus| match status {
        JobStatus::Waiting => 0,
        JobStatus::InProgress => 1,
        _ => 2,
    };
    require(rank(before.status) <= rank(now.status), "went back");
    if before.status.is_terminal() {
        let verdict = |job: &Job| (job.status, job.status_reason.clone(), job.finished_at, job.counts());
        require(verdict(before) == verdict(now), "had ended and changed");
    }
    if world.profile.clock_steps.is_empty()
        && let Some(ended) = now.finished_at
    {
        // Whatever its server's clock says.
        let (sent, now) = (now.submit_attempted_at.unwrap_or(now.created_at), world.now());
        let is_possible = sent.since(ended).max(ended.since(now)) <= CLOCK_TOLERANCE;
        require(is_possible, "ended before it was sent, or at a time to come");
    }
    let is_kept = |before: Option<Timestamp>, now: Option<Timestamp>| before.is_none() || before == now;
    require(is_kept(before.abort_requested_at, now.abort_requested_at), "forgot that it is to be aborted");
    require(is_kept(before.delete_requested_at, now.delete_requested_at), "forgot that it is to be deleted");
    require(is_kept(before.accepted_at, now.accepted_at), "forgot that it was accepted");
    require(is_kept(before.remote_deleted_at, now.remote_deleted_at), "forgot that its queue was deleted");
    require(is_kept(before.cleaned_at, now.cleaned_at), "forgot that it was cleaned");
    let is_clock_even = world.profile.clock_steps.is_empty();
    require(!is_clock_even || seen.synced_at <= looked.synced_at, "says that it was heard of longer ago than before");
    let same_but_watched = Job { watched_until: before.watched_until, ..now.clone() };
    require(same_but_watched == *before || before.version < now.version, "changed under one version");
    require(before.revision <= now.revision, "went back to an older revision");
    let is_timed_out = now.abort_reason.as_deref() == Some(reason::TIMEOUT) && before.abort_reason.is_none();
    if is_timed_out {
        let limit = Duration::from_millis(u64::try_from(now.timeout_ms).unwrap_or(0));
        let ran = world.bench().ran_for(&now.remote_queue_id);
        // Whatever a proxy's clock says, a queue has not run for longer than since it was sent.
        let since = |age: Duration| world.age().saturating_sub(age);
        let sent = looked.sent.filter(|_| world.profile.date_skew > 0).map(since);
        // Whether the queue of a server that is away has ended by itself nobody knows; if it has, that wins.
        let unheard = looked.running.filter(|_| now.sync_state == SyncState::Failing);
        let unheard = unheard.map(|age| since(age).saturating_sub(OVERTIME));
        let is_over = |spent: Duration| spent + TOLERANCE >= limit;
        let is_in_time = ran.is_none_or(is_over) || sent.is_some_and(is_over) || unheard.is_some_and(is_over);
        require(is_in_time, "was timed out before its time");
    }
    if before.status != now.status || before.sync_state != now.sync_state {
        let synced = now.sync_state == SyncState::Synced;
        world.note(format!("job {id} is {} ({:?}, synced: {synced})", now.status, now.status_reason));
    }
}

/// A task's status only moves forward as well, and what has ended stays as it is; only more of its log may be here.
fn compare_tasks(world: &World, before: &[Task], now: &[Task]) {
    let rank = |status: TaskStatus| match status {
        TaskStatus::Waiting => 0,
        TaskStatus::Running => 1,
        _ => 2,
    };
    for (before, now) in before.iter().zip(now) {
        let verdict = |task: &Task| (task.status, task.exit_code, task.started_at, task.finished_at);
        let is_kept = !before.status.is_terminal() || verdict(before) == verdict(now);
        if rank(before.status) > rank(now.status) || !is_kept || before.log_size > now.log_size {
            world.breaks(format!("a task went back or changed after its end: {before:?} -> {now:?}"));
        }
    }
    if before.len() != now.len() {
        world.breaks(format!("of {} tasks {} are there", before.len(), now.len()));
    }
}

/// The columns that changed.
fn difference(before: &Job, now: &Job) -> String {
    let flat = |job: &Job| format!("{job:#?}").replace("(\n", "(").replace(",\n    )", ")");
    let (before, now) = (flat(before), flat(now));
    let after: Vec<&str> = now.lines().collect();
    let mut changed = Vec::new();
    for (at, line) in before.lines().enumerate() {
        if after.get(at).is_none_or(|after| *after != line) {
            changed.push(format!("{} -> {}", line.trim(), after.get(at).unwrap_or(&"").trim()));
        }
    }
    changed.join(" ")
}
