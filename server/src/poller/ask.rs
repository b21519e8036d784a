//! Asks the remote server about a job's queue, or takes in what it said by itself, and saves what changed.
//! What a queue's status leaves out is asked task by task, so that older servers are understood.

use super::health::{self, About};
use super::outcome::{After, capped, fail, queue_of, save, take_refusal};
use super::{Poller, marks};
use crate::lifecycle::{self, CLOCK_TOLERANCE, Heard, Observed, Seen};
use crate::remote::{Answer, Reach, Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::Job;
use crate::store::tasks::{self, Task};
use protocol::remote::{QueueBody, QueueTask, TaskBody};
use protocol::{QueueStatus, TaskStatus, Timestamp};
use std::collections::HashMap;
use std::time::Duration;

/// Tasks about which a server answers with errors before the rest of its queue waits for the next look. One that does
/// not answer at all takes a whole time limit, for which others would wait, so it ends a look by itself.
const MOST_FAILURES: u32 = 8;
/// An age of what is known that is no longer the rounds' own; the page warns after a minute.
const OLD: Duration = Duration::from_secs(30);

pub(super) async fn ask<R: Remote>(poller: &Poller<R>, job: &Job, heard: Heard) -> Result<After, StoreError> {
    let answer = poller.queue_status(queue_of(job), job.remote_etag.as_deref()).await;
    match answer {
        Ok(Some(answer)) => take_status(poller, job, answer, heard).await,
        Ok(None) => take_unchanged(poller, job).await,
        Err(error) => take_failure(poller, job, error).await,
    }
}

/// The status is what it was.
async fn take_unchanged<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let now = poller.clock.now();
    let mut after = job.clone();
    lifecycle::mark_synced(&mut after, now);
    let is_due = job.next_at.is_some_and(|due| due <= now);
    let is_aborted = job.abort_requested_at.is_some();
    if is_due && is_aborted {
        after.next_at = Some(lifecycle::asks_after_abort(job, &poller.limits(), now));
    } else if is_due {
        // At its limit the whole status is wanted, to reckon on the server's clock.
        after.remote_etag = None;
    }
    let is_news = after.sync_state != job.sync_state || after.sync_error != job.sync_error;
    if is_due || is_news || is_age_worth_saving(poller, job, now) {
        let saved = save(poller, job, &after, Vec::new()).await?;
        if !saved {
            return Ok(After::Lost);
        }
    }
    // What its status says of the logs' sizes is unchanged as well, but not all of them may be here yet.
    if !poller.marks.tells_log_sizes() || !poller.marks.is_followed(job.id) {
        poller.lanes.follow(job);
    }
    Ok(if is_due && !is_aborted { After::Again } else { After::Later })
}

/// Takes in what the server says of a queue, whether it was asked or said so by itself.
pub(super) async fn take_status<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    answer: Answer<QueueBody>,
    heard: Heard,
) -> Result<After, StoreError> {
    let id = job.id;
    let rows = poller.store.read(move |c| tasks::find_tasks(c, id)).await?;
    poller.marks.heard(job, &rows, &answer.body);
    let Completed { said, failure } = complete_tasks(poller, job, &rows, &answer.body, heard).await;
    note_clock(poller, job, &answer, &said);
    let now = poller.clock.now();
    let failure = failure.filter(|_| answer.body.status.is_terminal());
    let is_waited_for = |failure: &RemoteError| {
        let is_answered = failure.reach() == Reach::Answered;
        !poller.marks.is_never_told(job.id, is_answered, now)
    };
    if let Some(failure) = failure.filter(is_waited_for) {
        return take_part(poller, job, &rows, answer, said, failure).await;
    }
    let (server_now, etag) = (answer.server_now, answer.etag.as_deref());
    let seen = Seen { heard, queue: &answer.body, tasks: &said, server_now, etag };
    let Observed { job: after, changed_tasks } = lifecycle::observe(job, &rows, seen, &poller.limits(), now);
    let has_ended = after.status.is_terminal() && !job.status.is_terminal();
    let is_past_limit = after.abort_requested_at.is_some() && job.abort_requested_at.is_none();
    let is_saved = is_worth_saving(job, &after, &changed_tasks, now) || is_age_worth_saving(poller, job, now);
    if is_saved && !save(poller, job, &after, changed_tasks).await? {
        return Ok(After::Lost);
    }
    if has_ended {
        tracing::info!(job = job.id.0, status = %after.status, "job {} ended as {}", job.id, after.status);
    } else {
        let waits_again = answer.body.status == QueueStatus::Waiting && job.seen_running_at.is_some();
        if marks::may_have_grown(job, &rows, &answer.body) || waits_again {
            poller.lanes.follow(&after);
        }
    }
    Ok(if has_ended || is_past_limit { After::Again } else { After::Later })
}

/// The queue has ended, but not all of its tasks could be asked how: those that answered are kept, and the job ends when
/// the rest has answered as well.
async fn take_part<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    rows: &[Task],
    mut answer: Answer<QueueBody>,
    said: Vec<QueueTask>,
    failure: RemoteError,
) -> Result<After, StoreError> {
    answer.body.status = QueueStatus::Running;
    let (server_now, now) = (answer.server_now, poller.clock.now());
    let seen = Seen { heard: Heard::Told, queue: &answer.body, tasks: &said, server_now, etag: None };
    let Observed { job: mut after, changed_tasks } = lifecycle::observe(job, rows, seen, &poller.limits(), now);
    after.attempts = job.attempts;
    lifecycle::mark_failing(&mut after, failure.to_string());
    let retry_after = match failure {
        RemoteError::Transient { retry_after, .. } => capped(poller, retry_after),
        RemoteError::Permanent(_) => None,
    };
    lifecycle::postpone(&mut after, &poller.limits(), retry_after, poller.chance.jitter(), now);
    let saved = save(poller, job, &after, changed_tasks).await?;
    Ok(After::Failed.if_saved(saved))
}

/// A save costs a commit. That the facts are a little fresher the rounds say of all jobs at once.
fn is_worth_saving(before: &Job, after: &Job, changed_tasks: &[Task], now: Timestamp) -> bool {
    let is_due_as_before = match (before.next_at, after.next_at) {
        // What was due is so no longer, or it would be taken up again and again.
        (Some(before), _) if before <= now => false,
        // The same limit, reckoned anew on another clock.
        (Some(before), Some(after)) => after.since(before).max(before.since(after)) < CLOCK_TOLERANCE,
        (before, after) => before == after,
    };
    let next_at = if is_due_as_before { before.next_at } else { after.next_at };
    let same_but_age = Job { last_synced_at: before.last_synced_at, next_at, ..after.clone() };
    !changed_tasks.is_empty() || same_but_age != *before
}

/// Where the rounds are rare, somebody who looks at a job is still told that it was asked about just now.
fn is_age_worth_saving<R: Remote>(poller: &Poller<R>, job: &Job, now: Timestamp) -> bool {
    let is_watched = job.watched_until.is_some_and(|until| until > now);
    let known_at = job.last_synced_at.max(poller.signals.rounds.fresh_at());
    is_watched && known_at.is_none_or(|at| now.since(at) > OLD)
}

fn note_clock<R: Remote>(poller: &Poller<R>, job: &Job, answer: &Answer<QueueBody>, said: &[QueueTask]) {
    let now = poller.clock.now();
    let Some(sent) = job.submit_attempted_at.map(|sent| now.since(sent)) else { return };
    let span = answer.body.started_at.zip(answer.server_now);
    let words = match span {
        Some((started, until)) if until.since(started) > sent.saturating_add(CLOCK_TOLERANCE) => {
            Some("its clock is wrong: it says that a queue has run for longer than since it was sent")
        }
        Some((started, until)) if started.since(until) > CLOCK_TOLERANCE => {
            Some("its clock is wrong: by it, a queue that runs already is still to begin")
        }
        _ if lifecycle::tells_of_another_time(job, &answer.body, said, now) => Some(
            "its clock and this machine's differ: by its own, a queue came before it was sent, or is still to come",
        ),
        None if answer.body.created_at.is_none() => return,
        _ => None,
    };
    health::trouble(poller, About::Clock, words.map(str::to_owned));
}

pub(super) async fn take_failure<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    error: RemoteError,
) -> Result<After, StoreError> {
    match error {
        RemoteError::Permanent(refusal) => take_refusal(poller, job, &refusal).await,
        RemoteError::Transient { message, retry_after } => {
            fail(poller, job, job.clone(), message, capped(poller, retry_after)).await
        }
    }
}

/// What the server says of its tasks, and the last failure to ask about one.
struct Completed {
    said: Vec<QueueTask>,
    failure: Option<RemoteError>,
}

/// The queue's tasks as the server has them, completed by questions about those that its status says too little of.
/// What can't be had of one task now leaves it as it is known, and the others all the same.
async fn complete_tasks<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    rows: &[Task],
    queue: &QueueBody,
    heard: Heard,
) -> Completed {
    let mut said = queue.tasks.clone().unwrap_or_default();
    let mut failure = None;
    if queue.status == QueueStatus::Waiting {
        return Completed { said, failure };
    }
    let positions: HashMap<String, usize> =
        said.iter().enumerate().map(|(at, task)| (task.task_id.clone(), at)).collect();
    // So that one which gives no answer keeps the same others behind it unasked no second time.
    let last_stop = poller.marks.unanswered_at(job.id);
    let (before, after): (Vec<&Task>, Vec<&Task>) =
        rows.iter().filter(|row| !row.status.is_terminal()).partition(|row| row.n <= last_stop);
    // Nor are those behind many that fail left unasked when they are not waited for any longer.
    let is_last = poller.marks.has_told_enough(job.id, poller.clock.now());
    let mut failures = 0;
    for row in after.into_iter().chain(before) {
        let task_id = job.task_id(row.n);
        let position = positions.get(&task_id).copied();
        if position.is_some_and(|at| says_all(&said[at], row, queue, heard)) {
            continue;
        }
        let answer = poller.task_status(queue_of(job), &task_id).await;
        let task = match answer {
            Ok(answer) => as_queue_task(task_id, answer.body),
            // It knows the queue: what that says of the task is all there is.
            Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => continue,
            Err(error) => {
                tracing::debug!(job = job.id.0, error = error.private(), "task {task_id} could not be asked about");
                failures += 1;
                let has_enough = error.reach() != Reach::Answered || failures >= MOST_FAILURES && !is_last;
                failure = Some(error);
                if has_enough {
                    poller.marks.no_answer_at(job.id, row.n);
                    break;
                }
                continue;
            }
        };
        match position {
            Some(at) => said[at] = task,
            None => said.push(task),
        }
    }
    Completed { said, failure }
}

/// Whether a task's entry in its queue's status tells all that is new of it.
fn says_all(task: &QueueTask, row: &Task, queue: &QueueBody, heard: Heard) -> bool {
    // An older server's list leaves out how far a task is.
    let tells_how_far = task.progress.is_some() || !task.message.is_empty() || task.log_size.is_some();
    match task.status {
        TaskStatus::Waiting => !queue.status.is_terminal(),
        TaskStatus::Running => {
            !queue.status.is_terminal()
                && task.started_at.or(row.started_at).is_some()
                && (tells_how_far || heard == Heard::Told)
        }
        TaskStatus::Aborted | TaskStatus::Skipped => true,
        TaskStatus::Passed | TaskStatus::Failed | TaskStatus::Error => task.finished_at.is_some(),
    }
}

fn as_queue_task(task_id: String, task: TaskBody) -> QueueTask {
    QueueTask {
        task_id,
        scenario: task.scenario,
        status: task.status,
        progress: task.progress,
        message: task.message,
        log_size: task.log_size,
        started_at: task.started_at,
        finished_at: task.finished_at,
        exit_code: task.exit_code,
    }
}
