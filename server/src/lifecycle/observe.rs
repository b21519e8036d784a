//! What a queue's status at the remote server makes of the job and its tasks here.
//! Facts only move forward: an ended task or job never changes status again, whatever a late answer says.

use super::verdict::{verdict, why_in_error};
use super::{CLOCK_TOLERANCE, Limits, OVERTIME, asks_after_abort, end, mark_synced, timeout, waits_since};
use crate::store::jobs::{Job, want_abort};
use crate::store::tasks::Task;
use protocol::api::TaskCounts;
use protocol::remote::{QueueBody, QueueTask};
use protocol::{JobStatus, QueueStatus, TaskStatus, Timestamp, reason};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

/// Between two moments that a header `Date` tells apart.
const DATE_STEP: Duration = Duration::from_secs(1);

/// How we came to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// We asked; when to ask again follows from the answer.
    Asked,
    /// The server said so by itself; what is due of the job stays due.
    Told,
}

/// What the remote server said about a queue and its tasks.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub heard: Heard,
    pub queue: &'a QueueBody,
    pub tasks: &'a [QueueTask],
    /// The server's own clock; how long a queue has run is reckoned on it.
    pub server_now: Option<Timestamp>,
    pub etag: Option<&'a str>,
}

/// The job as it is now known to be, and those of its tasks that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub job: Job,
    pub changed_tasks: Vec<Task>,
}

/// Takes in a queue's status. An ended job is only noted as heard of.
pub fn observe(before: &Job, tasks: &[Task], seen: Seen<'_>, limits: &Limits, now: Timestamp) -> Observed {
    let mut job = before.clone();
    mark_synced(&mut job, now);
    let is_wanted = job.abort_requested_at.is_some() || job.delete_requested_at.is_some();
    let keeps_pause = is_wanted && seen.heard == Heard::Told;
    if keeps_pause {
        job.attempts = before.attempts;
    }
    if job.status.is_terminal() {
        return Observed { job, changed_tasks: Vec::new() };
    }
    job.accepted_at = job.accepted_at.or(Some(now));
    job.remote_etag = seen.etag.map(str::to_owned);
    let by = off_by(before, seen, now);
    let (queue, its_tasks) = (moved_queue(seen.queue, by), moved_tasks(seen.tasks, by));
    let server_now = seen.server_now.map(|at| moved(at, by));
    let seen = Seen { queue: &queue, tasks: &its_tasks, server_now, ..seen };
    let said: HashMap<&str, &QueueTask> = seen.tasks.iter().map(|said| (said.task_id.as_str(), said)).collect();
    let observe_task = |task: &Task| {
        let mut after = observe_task(task, said.get(before.task_id(task.n).as_str()).copied(), seen.queue);
        if after.status.is_terminal() && !task.status.is_terminal() {
            (after.started_at, after.finished_at) = credible_span(before, after.started_at, after.finished_at, now);
        } else if after.status == TaskStatus::Running {
            if !may_have_begun(before, after.started_at, seen, now) {
                after.started_at = task.started_at.or(Some(now));
            } else if by != 0 {
                // Reckoned anew at each look, it would be another one each time.
                after.started_at = task.started_at.or(after.started_at);
            }
        }
        after
    };
    let after: Vec<Task> = tasks.iter().map(observe_task).collect();
    let statuses: Vec<TaskStatus> = after.iter().map(|task| task.status).collect();
    let counts = TaskCounts::of(statuses.iter().copied());
    let has_begun = statuses.iter().any(|status| *status != TaskStatus::Waiting);
    match seen.queue.status {
        QueueStatus::Waiting => wait(&mut job, has_begun, seen),
        QueueStatus::Running => {
            let begins_anew = begins_anew(before, by, seen, now);
            if begins_anew {
                job.seen_running_at = None;
            }
            run(&mut job, seen, now);
            if by != 0 && !begins_anew {
                job.started_at = before.started_at.or(job.started_at);
            }
        }
        QueueStatus::Finished | QueueStatus::Aborted | QueueStatus::Error => {
            let (began, ended) = (seen.queue.started_at.or(job.started_at), seen.queue.finished_at.unwrap_or(now));
            (job.started_at, job.finished_at) = credible_span(before, began, Some(ended), now);
            let wanted = job.abort_reason.clone();
            let ran_too_long = ran_for(&job, seen, now) >= timeout(&job);
            let (status, why) = verdict(seen.queue.status, &statuses, wanted.as_deref(), ran_too_long);
            end(&mut job, counts, status, why, now);
            if status == JobStatus::Error {
                job.sync_error = Some(why_in_error(&seen.queue.message, &after));
            }
        }
    }
    if !job.status.is_terminal() {
        job.set_counts(counts);
        if !keeps_pause {
            plan_next_look(&mut job, has_begun, seen, limits, now);
        }
    }
    let changed_tasks = after.into_iter().zip(tasks).filter(|(a, b)| a != *b).map(|(task, _)| task).collect();
    Observed { job, changed_tasks }
}

/// Whether what the server says of a job can have been then: not before it was sent, and not later than now.
fn is_credible(job: &Job, at: Timestamp, now: Timestamp) -> bool {
    // By a clock of ours that was put back since, it is still to be sent, which says nothing.
    let sent = job.submit_attempted_at.filter(|sent| *sent <= now);
    sent.is_none_or(|sent| sent.since(at) <= CLOCK_TOLERANCE) && at.since(now) <= CLOCK_TOLERANCE
}

/// Whether all times that a server tells of a job are credible once they are moved by so many milliseconds.
fn is_all_credible(job: &Job, queue: &QueueBody, tasks: &[QueueTask], by: i64, now: Timestamp) -> bool {
    told_times(queue, tasks).all(|at| is_credible(job, moved(at, by), now))
}

fn told_times(queue: &QueueBody, tasks: &[QueueTask]) -> impl Iterator<Item = Timestamp> {
    let of_queue = [queue.created_at, queue.started_at, queue.finished_at];
    let of_tasks = tasks.iter().flat_map(|task| [task.started_at, task.finished_at]);
    of_queue.into_iter().chain(of_tasks).flatten()
}

/// By how many milliseconds the times that a server tells of a job are to be moved to be of our clock. Those of a right
/// clock are its own, whatever a proxy's `Date` says; so are those that no one difference explains.
fn off_by(job: &Job, seen: Seen<'_>, now: Timestamp) -> i64 {
    let Some(date) = seen.server_now else { return 0 };
    // A `Date` leaves out what is less than a second; what the server tells of has happened.
    let last = told_times(seen.queue, seen.tasks).max().filter(|last| last.since(date) < DATE_STEP);
    let by = now.0.saturating_sub(last.map_or(date, |last| last.max(date)).0);
    let fits = |by| is_all_credible(job, seen.queue, seen.tasks, by, now);
    if !fits(0) && fits(by) { by } else { 0 }
}

/// Whether a server tells of a time before a job was sent, or of one that is still to come.
pub fn tells_of_another_time(job: &Job, queue: &QueueBody, tasks: &[QueueTask], now: Timestamp) -> bool {
    !is_all_credible(job, queue, tasks, 0, now)
}

fn moved(at: Timestamp, by: i64) -> Timestamp {
    Timestamp(at.0.saturating_add(by))
}

fn moved_queue(queue: &QueueBody, by: i64) -> Cow<'_, QueueBody> {
    if by == 0 {
        return Cow::Borrowed(queue);
    }
    let moved = |at: Option<Timestamp>| at.map(|at| moved(at, by));
    // What it says of its tasks stands beside it.
    Cow::Owned(QueueBody {
        created_at: moved(queue.created_at),
        started_at: moved(queue.started_at),
        finished_at: moved(queue.finished_at),
        tasks: None,
        ..queue.clone()
    })
}

fn moved_tasks(tasks: &[QueueTask], by: i64) -> Cow<'_, [QueueTask]> {
    if by == 0 {
        return Cow::Borrowed(tasks);
    }
    let moved = |at: Option<Timestamp>| at.map(|at| moved(at, by));
    let task = |task: &QueueTask| QueueTask {
        started_at: moved(task.started_at),
        finished_at: moved(task.finished_at),
        ..task.clone()
    };
    tasks.iter().map(task).collect()
}

/// A queue that ran may wait again, because its checkout found no room or its server was restarted: the job's status
/// stays, and its time begins when it runs.
fn wait(job: &mut Job, has_begun: bool, seen: Seen<'_>) {
    job.position = seen.queue.position.map(i64::from);
    job.seen_running_at = None;
    if !has_begun {
        job.started_at = None;
    }
}

/// Whether a queue has waited again and run anew since it was asked about.
fn begins_anew(before: &Job, by: i64, seen: Seen<'_>, now: Timestamp) -> bool {
    let is_exact = by == 0;
    let step = if is_exact { DATE_STEP } else { CLOCK_TOLERANCE };
    let (Some(began), Some(before_that)) = (seen.queue.started_at, before.started_at) else { return false };
    began.since(before_that) > step && may_have_begun(before, Some(began), seen, now)
}

fn run(job: &mut Job, seen: Seen<'_>, now: Timestamp) {
    job.status = JobStatus::InProgress;
    job.position = None;
    job.seen_running_at = job.seen_running_at.or(Some(now));
    let is_credible = may_have_begun(job, seen.queue.started_at, seen, now);
    let began = seen.queue.started_at.or(job.started_at).filter(|_| is_credible);
    job.started_at = began.or(job.seen_running_at);
}

/// Whether something of a job that runs may have begun then: not before it was sent, and not later than now, by the
/// server's own clock.
fn may_have_begun(job: &Job, began: Option<Timestamp>, seen: Seen<'_>, now: Timestamp) -> bool {
    let (Some(began), Some(sent)) = (began, job.submit_attempted_at) else { return true };
    let by_its_clock = seen.server_now.unwrap_or(now);
    let is_too_long = by_its_clock.since(began) > now.since(sent).saturating_add(CLOCK_TOLERANCE);
    !is_too_long && began.since(by_its_clock) <= CLOCK_TOLERANCE
}

/// A job past its limit is to be aborted; any other is due again at its limit, however rare the rounds are.
/// `has_begun`: one of its tasks has run.
fn plan_next_look(job: &mut Job, has_begun: bool, seen: Seen<'_>, limits: &Limits, now: Timestamp) {
    if job.abort_requested_at.is_some() {
        job.next_at = Some(asks_after_abort(job, limits, now));
        return;
    }
    let (spent, limit, why) = match seen.queue.status {
        QueueStatus::Waiting => {
            // Of one that waits again, what it has run for is no waiting.
            let may_have_run = if has_begun { timeout(job) } else { Duration::ZERO };
            (now.since(waits_since(job)), limits.waiting_timeout + may_have_run, reason::WAITED_TOO_LONG)
        }
        _ => (ran_for(job, seen, now), timeout(job), reason::TIMEOUT),
    };
    if spent > limit {
        want_abort(job, why, now);
    } else {
        // One millisecond past the limit, so that the look finds it over.
        job.next_at = Some(now.plus(limit.saturating_sub(spent)).plus(Duration::from_millis(1)));
    }
}

/// How long the queue has run, on the server's own clock where that is known; never longer than since we sent it,
/// whatever anybody's clock says.
fn ran_for(job: &Job, seen: Seen<'_>, now: Timestamp) -> Duration {
    let said = match (seen.queue.started_at, seen.queue.finished_at.or(seen.server_now)) {
        // A start that is still to come says nothing: the clock was put back meanwhile.
        (Some(started), Some(until)) if started <= until => until.since(started),
        _ => job.seen_running_at.map_or(Duration::ZERO, |started| now.since(started)),
    };
    said.min(job.submit_attempted_at.map_or(said, |sent| now.since(sent)))
}

/// When something of a job began and ended, of which the end is heard only now: one that can't be was now, and what lies
/// between the two stays as long as it was.
fn credible_span(
    job: &Job,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    now: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let (began, ended) = match ended {
        Some(end) if !is_credible(job, end, now) => (began.map(|start| now.minus(end.since(start))), Some(now)),
        _ => (began, ended),
    };
    (credible_start(job, began, ended, now), ended)
}

/// When something of a job began that has ended. Nothing has run for longer than since it was sent: a board that got the
/// right time only afterwards tells of decades.
pub(super) fn credible_start(
    job: &Job,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let (Some(start), Some(end), Some(sent)) = (began, ended, job.submit_attempted_at) else { return began };
    let longest = now.since(sent);
    let is_credible = end.since(start) <= longest.saturating_add(CLOCK_TOLERANCE);
    Some(if is_credible { start } else { end.minus(longest) })
}

/// Why a job of which nothing is heard is to be aborted when its server is back, if it has run, or waited, past its limit
/// by all that is known.
pub fn given_up_unseen(job: &Job, limits: &Limits, now: Timestamp) -> Option<&'static str> {
    if runs_too_long_unseen(job, now) {
        return Some(reason::TIMEOUT);
    }
    waits_too_long_unseen(job, limits, now).then_some(reason::WAITED_TOO_LONG)
}

/// Whether a job of which nothing is heard, or nothing that can be read, has run past its limit by our own clock, and
/// past the time in which its server would have ended it.
fn runs_too_long_unseen(job: &Job, now: Timestamp) -> bool {
    let is_running = job.status == JobStatus::InProgress && job.abort_requested_at.is_none();
    let limit = timeout(job) + OVERTIME;
    is_running && job.seen_running_at.is_some_and(|started| now.since(started) > limit)
}

/// Whether a job that may wait at its server, of which nothing is heard, has waited past its limit by all that can be: had it
/// begun at the last moment, it would have run past its limit as well, and its server would have ended it.
fn waits_too_long_unseen(job: &Job, limits: &Limits, now: Timestamp) -> bool {
    let times_begun = match job.status {
        JobStatus::Waiting => 1,
        // One that ran waits again, and had all of its time before.
        JobStatus::InProgress if job.seen_running_at.is_none() => 2,
        _ => return false,
    };
    let is_nothing_wanted = job.abort_requested_at.is_none() && job.delete_requested_at.is_none();
    let limit = limits.waiting_timeout + timeout(job) * times_begun + OVERTIME;
    job.submit_attempted_at.is_some() && is_nothing_wanted && now.since(waits_since(job)) > limit
}

fn observe_task(before: &Task, said: Option<&QueueTask>, queue: &QueueBody) -> Task {
    let mut task = before.clone();
    if before.status.is_terminal() {
        return task;
    }
    if let Some(said) = said {
        let goes_back = before.status == TaskStatus::Running && said.status == TaskStatus::Waiting;
        if !goes_back {
            let still_runs = said.status == TaskStatus::Running && before.status == TaskStatus::Running;
            task.status = said.status;
            let progress = said.progress.filter(|p| p.is_finite()).map(|p| p.clamp(0.0, 1.0));
            // A list that leaves both out says nothing of them.
            if !(still_runs && progress.is_none() && said.message.is_empty()) {
                task.progress = progress;
                task.message.clone_from(&said.message);
            }
            task.exit_code = said.exit_code;
            task.started_at = said.started_at.or(task.started_at);
            task.finished_at = said.finished_at.or(task.finished_at);
        }
    }
    end_with_queue(&mut task, queue);
    task
}

/// A queue that has ended leaves no task open, even if the server never said how that one ended.
fn end_with_queue(task: &mut Task, queue: &QueueBody) {
    if !queue.status.is_terminal() || task.status.is_terminal() {
        return;
    }
    task.finished_at = task.finished_at.or(queue.finished_at);
    if queue.status == QueueStatus::Aborted {
        task.status = TaskStatus::Aborted;
    } else {
        task.status = TaskStatus::Error;
        "the remote server ended the queue without a result for this task".clone_into(&mut task.message);
    }
}
