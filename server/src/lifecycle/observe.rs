//! What a queue's status at the remote server makes of the job and its tasks here.
//! Facts only move forward: an ended task or job never changes status again, whatever a late answer says.

use super::{ABORT_FOLLOW_UP, Limits, end, mark_synced, reason, verdict};
use crate::store::jobs::Job;
use crate::store::tasks::Task;
use protocol::api::TaskCounts;
use protocol::remote::{QueueBody, QueueTask};
use protocol::{JobStatus, QueueStatus, TaskStatus, Timestamp};
use std::time::Duration;

/// What the remote server said about a queue and its tasks.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
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
    if job.status.is_terminal() {
        return Observed { job, changed_tasks: Vec::new() };
    }
    job.accepted_at = job.accepted_at.or(Some(now));
    job.remote_etag = seen.etag.map(str::to_owned);
    let after: Vec<Task> = tasks.iter().map(|task| observe_task(before, task, seen)).collect();
    let statuses: Vec<TaskStatus> = after.iter().map(|task| task.status).collect();
    let counts = TaskCounts::of(statuses.iter().copied());
    match seen.queue.status {
        QueueStatus::Waiting => wait(&mut job, seen),
        QueueStatus::Running => run(&mut job, seen, now),
        QueueStatus::Finished | QueueStatus::Aborted | QueueStatus::Error => {
            job.started_at = seen.queue.started_at.or(job.started_at);
            job.finished_at = Some(seen.queue.finished_at.unwrap_or(now));
            let wanted = job.abort_reason.clone();
            let ran_too_long = ran_for(&job, seen, now) >= timeout(&job);
            let (status, why) = verdict(seen.queue.status, &statuses, wanted.as_deref(), ran_too_long);
            end(&mut job, counts, status, why, now);
            if status == JobStatus::Error && !seen.queue.message.is_empty() {
                job.sync_error = Some(seen.queue.message.clone());
            }
        }
    }
    if !job.status.is_terminal() {
        job.set_counts(counts);
        plan_next_look(&mut job, seen, limits, now);
    }
    let changed_tasks = after.into_iter().zip(tasks).filter(|(a, b)| a != *b).map(|(task, _)| task).collect();
    Observed { job, changed_tasks }
}

fn wait(job: &mut Job, seen: Seen<'_>) {
    // A queue that ran once does not wait again, whatever a late answer says.
    if job.status == JobStatus::Waiting {
        job.position = seen.queue.position.map(i64::from);
    }
}

fn run(job: &mut Job, seen: Seen<'_>, now: Timestamp) {
    job.status = JobStatus::InProgress;
    job.position = None;
    job.seen_running_at = job.seen_running_at.or(Some(now));
    job.started_at = seen.queue.started_at.or(job.started_at).or(Some(now));
}

/// A job past its limit is to be aborted; any other is due again at its limit, however rare the rounds are.
fn plan_next_look(job: &mut Job, seen: Seen<'_>, limits: &Limits, now: Timestamp) {
    if job.abort_requested_at.is_some() {
        let pause = if job.abort_confirmed_at.is_some() { ABORT_FOLLOW_UP } else { Duration::ZERO };
        job.next_at = Some(now.plus(pause));
        return;
    }
    let (spent, limit, why) = match job.status {
        JobStatus::InProgress => (ran_for(job, seen, now), timeout(job), reason::TIMEOUT),
        _ => (now.since(job.created_at), limits.waiting_timeout, reason::WAITED_TOO_LONG),
    };
    if spent > limit {
        job.abort_requested_at = Some(now);
        job.abort_reason = Some(why.to_owned());
        job.next_at = Some(now);
    } else {
        // One millisecond past the limit, so that the look finds it over.
        job.next_at = Some(now.plus(limit.saturating_sub(spent)).plus(Duration::from_millis(1)));
    }
}

fn timeout(job: &Job) -> Duration {
    Duration::from_millis(u64::try_from(job.timeout_ms).unwrap_or(0))
}

/// How long the queue has run, on the server's own clock where that is known.
fn ran_for(job: &Job, seen: Seen<'_>, now: Timestamp) -> Duration {
    match (seen.queue.started_at, seen.queue.finished_at.or(seen.server_now)) {
        (Some(started), Some(until)) => until.since(started),
        _ => job.seen_running_at.map_or(Duration::ZERO, |started| now.since(started)),
    }
}

fn observe_task(job: &Job, before: &Task, seen: Seen<'_>) -> Task {
    let mut task = before.clone();
    if before.status.is_terminal() {
        return task;
    }
    let task_id = job.task_id(before.n);
    if let Some(said) = seen.tasks.iter().find(|said| said.task_id == task_id) {
        let goes_back = before.status == TaskStatus::Running && said.status == TaskStatus::Waiting;
        if !goes_back {
            task.status = said.status;
            task.progress = said.progress.filter(|p| p.is_finite()).map(|p| p.clamp(0.0, 1.0));
            task.message.clone_from(&said.message);
            task.exit_code = said.exit_code;
            task.started_at = said.started_at.or(task.started_at);
            task.finished_at = said.finished_at.or(task.finished_at);
        }
    }
    end_with_queue(&mut task, seen.queue);
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
