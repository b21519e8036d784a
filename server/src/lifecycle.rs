//! What happens to a job: pure decisions from its row, what the remote server said, and the time.
//! No I/O and no await here, so that every case can be tested as a row of a table.

mod abort;
mod observe;
mod verdict;

pub use abort::{asks_after_abort, next_step_of_abort, note_abort_sent};
use observe::credible_start;
pub use observe::{Heard, Observed, Seen, given_up_unseen, observe, tells_of_another_time};
pub use verdict::verdict;

use crate::store::jobs::{DUE_AT_ONCE, Job, has_own_queue, may_be_there};
use crate::store::tasks::Task;
use protocol::api::{CleanupState, LogsState, SyncState, TaskCounts};
use protocol::{JobStatus, TaskStatus, Timestamp, reason};
use std::time::Duration;

/// By so much longer than since it was sent a queue may seem to have run before its server's clock is called wrong.
pub const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);
/// First pause after a failed attempt; it doubles from there.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Answers in a row that do not know a queue which was accepted, and the time over which they come, before it is lost:
/// a server that is just starting, or another one behind its address, may say so for a moment.
const UNKNOWN_ANSWERS: i64 = 3;
const UNKNOWN_FOR: Duration = Duration::from_mins(1);
/// The same where it does not tell how a task has ended.
const UNTOLD_FOR: Duration = Duration::from_mins(10);
/// The same where it gives no answer to that, and answers about the queue.
const UNANSWERED_FOR: Duration = Duration::from_hours(1);
/// Pause before the next question to a server that did not know the queue.
pub const UNKNOWN_PAUSE: Duration = Duration::from_secs(20);
/// A submission may be under way for so long after it was sent, in whatever stands between us and the server.
pub const SUBMISSION_HORIZON: Duration = Duration::from_mins(15);
/// The server itself ends a queue so long after its limit at the latest.
pub const OVERTIME: Duration = Duration::from_mins(1);

/// Failed attempts at an ended job's logs before they may be given up: with doubling pauses about ten minutes.
const FEWEST_MIRROR_ATTEMPTS: i64 = 10;

/// The same of its clean-up.
pub const FEWEST_CLEANUP_ATTEMPTS: i64 = 5;

/// What a forced end says beside its status.
const FORCED_WORDS: &str = "ended by an administrator without the remote server's word";

/// Longest wait that a server's `Retry-After` can ask for: a wrong one must not silence a job for good.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// The limits of a job's environment.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub waiting_timeout: Duration,
    pub cleanup_give_up: Duration,
    pub retry_max_interval: Duration,
    /// `None`: queues stay at the remote server for ever.
    pub remote_retention: Option<Duration>,
}

/// What brings a job nearer to its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sent; if that was tried before, the server is asked first.
    Submit,
    /// The remote server has not taken it within `waiting_timeout`: it is to be aborted, and never sent again.
    GiveUpWaiting,
    Ask,
    Abort,
    /// It is to be aborted and the remote server never heard of it.
    EndUnsent,
    Mirror,
    CleanUp,
    DeleteQueue,
    /// It is to be deleted and nothing of it is left at the remote server.
    Remove,
    Nothing,
}

impl Step {
    /// Whether it needs no word of the remote server.
    pub fn is_local(self) -> bool {
        matches!(self, Self::GiveUpWaiting | Self::EndUnsent | Self::Remove | Self::Nothing)
    }
}

/// The next step for a job that is due.
pub fn next_step(job: &Job, limits: &Limits, now: Timestamp) -> Step {
    if job.delete_requested_at.is_some() {
        return next_step_of_deletion(job, limits, now);
    }
    if job.status.is_terminal() {
        return next_step_after_end(job, limits, now);
    }
    if job.abort_requested_at.is_some() {
        return next_step_of_abort(job, limits, now);
    }
    if job.accepted_at.is_some() {
        return Step::Ask;
    }
    // What may have arrived is asked about before its age is judged.
    let is_too_old = job.submit_attempted_at.is_none() && waited_too_long(job, limits, now);
    if is_too_old { Step::GiveUpWaiting } else { Step::Submit }
}

/// Whether a job that is still to be sent has waited past its limit.
pub fn waited_too_long(job: &Job, limits: &Limits, now: Timestamp) -> bool {
    now.since(waits_since(job)) > limits.waiting_timeout
}

/// By this server's clock as it stands now.
fn waits_since(job: &Job) -> Timestamp {
    job.waits_since.unwrap_or(job.created_at)
}

fn next_step_of_deletion(job: &Job, limits: &Limits, now: Timestamp) -> Step {
    // The queue of a forced one is given up in the background, where it may still run.
    if !may_be_there(job) || is_forced(job) {
        return Step::Remove;
    }
    if !job.status.is_terminal() {
        return next_step_of_abort(job, limits, now);
    }
    if job.remote_deleted_at.is_none() { Step::DeleteQueue } else { Step::CleanUp }
}

fn next_step_after_end(job: &Job, limits: &Limits, now: Timestamp) -> Step {
    if job.logs_state == LogsState::Mirroring {
        return Step::Mirror;
    }
    if job.cleanup_state == CleanupState::Pending && !job.may_still_run() {
        let is_early = late_arrival_over_at(job).is_some_and(|over| over > now);
        return if is_early { Step::Nothing } else { Step::CleanUp };
    }
    let is_due = remote_deletion_due_at(job, limits).is_some_and(|due| due <= now);
    if is_due { Step::DeleteQueue } else { Step::Nothing }
}

/// Whether the logs of an ended job that can't be had now are not waited for any longer, so that its clean-up goes on.
/// Not before many attempts in a row, since nobody may have tried for long: this server was off.
pub fn gives_up_mirroring(job: &Job, limits: &Limits, now: Timestamp) -> bool {
    let is_over = job.ended_here_at.is_some_and(|ended| now.since(ended) >= limits.cleanup_give_up);
    is_over && job.attempts >= FEWEST_MIRROR_ATTEMPTS
}

/// Whether a clean-up that has failed again is not tried any longer. Not before some attempts, since this server may
/// have been off for most of the time.
pub fn gives_up_cleaning(job: &Job, limits: &Limits, now: Timestamp) -> bool {
    let is_over = job.cleanup_since.is_some_and(|since| now.since(since) >= limits.cleanup_give_up);
    is_over && job.attempts >= FEWEST_CLEANUP_ATTEMPTS
}

/// When something is to be done again for an ended job that rests.
pub fn rests_until(job: &Job, limits: &Limits) -> Option<Timestamp> {
    if job.cleanup_state == CleanupState::Pending && !job.may_still_run() {
        return late_arrival_over_at(job);
    }
    remote_deletion_due_at(job, limits)
}

/// When the queue is to be deleted at the remote server, so that it does not fill up.
pub fn remote_deletion_due_at(job: &Job, limits: &Limits) -> Option<Timestamp> {
    if job.may_still_run() && job.cleanup_state == CleanupState::Pending {
        // Not before the server itself would have ended it: then it is made sure of that nothing runs there any more.
        return job.ended_here_at.map(|ended| surely_over_at(job, ended));
    }
    let cleaned_or_given_up = match job.cleanup_state {
        CleanupState::Done => job.cleaned_at,
        CleanupState::Failed => job.cleanup_since.map(|since| since.plus(limits.cleanup_give_up)),
        CleanupState::None | CleanupState::Pending => None,
    };
    let retention = limits.remote_retention?;
    if job.remote_deleted_at.is_some() {
        return None;
    }
    cleaned_or_given_up.map(|since| since.plus(retention))
}

/// When the server itself would have ended a queue of which nothing is heard any more since then.
pub fn surely_over_at(job: &Job, since: Timestamp) -> Timestamp {
    since.plus(timeout(job)).plus(OVERTIME)
}

/// Ends a job here. What was not yet ended of its tasks ends as `open_tasks`.
pub fn end(job: &mut Job, counts: TaskCounts, status: JobStatus, reason: Option<String>, now: Timestamp) {
    job.status = status;
    job.status_reason = reason;
    job.position = None;
    job.finished_at = Some(job.finished_at.unwrap_or(now));
    job.started_at = credible_start(job, job.started_at, job.finished_at, now);
    job.ended_here_at = Some(now);
    (job.unknown_since, job.unknown_count) = (None, 0);
    job.set_counts(counts);
    job.next_at = Some(now);
    job.attempts = 0;
    job.remote_etag = None;
    if has_own_queue(job) {
        job.logs_state = LogsState::Mirroring;
        job.cleanup_state = CleanupState::Pending;
    } else {
        // Nothing of it ever ran: what is here is all there is.
        job.logs_state = LogsState::Complete;
        job.cleanup_state = CleanupState::None;
        job.next_at = job.delete_requested_at.and(Some(now));
    }
}

fn timeout(job: &Job) -> Duration {
    Duration::from_millis(u64::try_from(job.timeout_ms).unwrap_or(0))
}

/// Whether a server that has so many times since then answered about a queue that has ended, and not told how all of its
/// tasks did, will not tell it any more. For longer than a server needs to start, since the verdict depends on it.
pub fn is_never_told(count: i64, since: Timestamp, is_answered: bool, now: Timestamp) -> bool {
    let patience = if is_answered { UNTOLD_FOR } else { UNANSWERED_FOR };
    count >= UNKNOWN_ANSWERS && now.since(since) >= patience
}

/// The server has said that it does not know a queue which it had accepted; whether that is to be believed.
pub fn is_lost(job: &mut Job, now: Timestamp) -> bool {
    let since = *job.unknown_since.get_or_insert(now);
    job.unknown_count = job.unknown_count.saturating_add(1);
    is_unknown_for_good(job.unknown_count, since, now)
}

/// Whether a server is to be believed that so many times since then has not known a queue which it had accepted.
pub fn is_unknown_for_good(count: i64, since: Timestamp, now: Timestamp) -> bool {
    count >= UNKNOWN_ANSWERS && now.since(since) >= UNKNOWN_FOR
}

/// Sets the next question to a server that did not know the queue.
pub fn ask_again_about_unknown(job: &mut Job, words: String, now: Timestamp) {
    mark_failing(job, words);
    // In a pause of its own, out of the rounds.
    job.attempts = job.attempts.max(1);
    job.next_at = Some(now.plus(UNKNOWN_PAUSE));
    job.remote_etag = None;
}

/// Until when a queue that the server does not know may still come to it. `None`: it was sent once, and that has arrived.
pub fn may_arrive_until(job: &Job) -> Option<Timestamp> {
    let has_arrived = job.accepted_at.is_some() && job.last_sent_at == job.submit_attempted_at;
    job.last_sent_at.filter(|_| !has_arrived).map(|sent| sent.plus(SUBMISSION_HORIZON))
}

/// Until when the workspace of a job whose queue was never seen is left alone: a queue that arrives late is ended
/// first, by its tombstone.
pub fn late_arrival_over_at(job: &Job) -> Option<Timestamp> {
    may_arrive_until(job).filter(|_| job.accepted_at.is_none())
}

/// Ends the tasks that have not ended by themselves as `status`; the counts of all, and those that changed.
pub fn end_open_tasks(job: &Job, tasks: Vec<Task>, status: TaskStatus, now: Timestamp) -> (TaskCounts, Vec<Task>) {
    let statuses = tasks.iter().map(|task| if task.status.is_terminal() { task.status } else { status });
    let counts = TaskCounts::of(statuses);
    let open = tasks.into_iter().filter(|task| !task.status.is_terminal());
    // One that never ran was not at any time the one that ended.
    let ended = open.map(|task| {
        let finished_at = task.started_at.and(Some(now));
        Task { status, started_at: credible_start(job, task.started_at, finished_at, now), finished_at, ..task }
    });
    (counts, ended.collect())
}

/// The job aborted that was never sent, and those of its tasks that end with it. The remote server has said nothing about
/// it, so it stays as little synced as it was.
pub fn abort_unsent(job: &Job, tasks: Vec<Task>, now: Timestamp) -> (Job, Vec<Task>) {
    let (counts, ended_tasks) = end_open_tasks(job, tasks, TaskStatus::Aborted, now);
    let mut aborted = Job { sync_error: None, ..job.clone() };
    end(&mut aborted, counts, JobStatus::Aborted, job.abort_reason.clone(), now);
    (aborted, ended_tasks)
}

/// The job ended here without the remote server's word, and those of its tasks that end with it.
/// Nobody follows it any more: what is still at the remote server is given up in the background.
pub fn force(job: &Job, tasks: Vec<Task>, now: Timestamp) -> (Job, Vec<Task>) {
    let (counts, mut ended_tasks) = end_open_tasks(job, tasks, TaskStatus::Error, now);
    for task in &mut ended_tasks {
        FORCED_WORDS.clone_into(&mut task.message);
    }
    let mut forced = job.clone();
    end(&mut forced, counts, JobStatus::Error, Some(reason::FORCED.to_owned()), now);
    forced.sync_error = Some(FORCED_WORDS.to_owned());
    forced.logs_state = LogsState::Incomplete;
    forced.logs_error = Some(FORCED_WORDS.to_owned());
    forced.cleanup_state = CleanupState::None;
    // That it is to be deleted is not forgotten.
    forced.next_at = job.delete_requested_at.and(Some(DUE_AT_ONCE));
    (forced, ended_tasks)
}

/// Whether the job ended without the remote server's word.
pub fn is_forced(job: &Job) -> bool {
    job.status_reason.as_deref() == Some(reason::FORCED)
}

/// The remote server has spoken about this job. The words of one that has ended stay: they say why.
pub fn mark_synced(job: &mut Job, now: Timestamp) {
    job.sync_state = SyncState::Synced;
    if !job.status.is_terminal() {
        job.sync_error = None;
    }
    job.last_synced_at = job.last_synced_at.max(Some(now));
    (job.unknown_since, job.unknown_count) = (None, 0);
    job.attempts = 0;
}

/// An attempt failed: keep why, and try again later. A job that was never accepted stays `pending`.
pub fn mark_failing(job: &mut Job, error: String) {
    if job.accepted_at.is_some() || job.abort_requested_at.is_some() || job.delete_requested_at.is_some() {
        job.sync_state = SyncState::Failing;
    }
    job.sync_error = Some(error);
}

/// Sets when to try again: doubling, capped, spread by `jitter` (0 to 1), not before the server's own `retry_after`.
pub fn postpone(job: &mut Job, limits: &Limits, retry_after: Option<Duration>, jitter: f64, now: Timestamp) {
    let pause = backoff(job.attempts, limits.retry_max_interval, jitter);
    job.attempts = job.attempts.saturating_add(1);
    let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
    let next_at = now.plus(pause.max(asked));
    let limit = waiting_limit(job, limits).or_else(|| running_limit(job)).filter(|limit| *limit > now);
    job.next_at = Some(limit.map_or(next_at, |limit| next_at.min(limit)));
}

/// The first moment at which a job that runs has run too long by our own clock, if nothing is heard of it until then.
fn running_limit(job: &Job) -> Option<Timestamp> {
    let is_running = job.status == JobStatus::InProgress && job.abort_requested_at.is_none();
    let began = job.seen_running_at.filter(|_| is_running)?;
    Some(began.plus(timeout(job)).plus(OVERTIME).plus(Duration::from_millis(1)))
}

/// The first moment at which a job that is still to be sent has waited too long.
fn waiting_limit(job: &Job, limits: &Limits) -> Option<Timestamp> {
    let is_to_be_sent = job.accepted_at.is_none()
        && job.abort_requested_at.is_none()
        && job.delete_requested_at.is_none()
        && !job.status.is_terminal();
    is_to_be_sent.then(|| waits_since(job).plus(limits.waiting_timeout).plus(Duration::from_millis(1)))
}

/// The pause after `attempts` earlier failures in a row.
pub fn backoff(attempts: i64, cap: Duration, jitter: f64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 20)).unwrap_or(0);
    let pause = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(doublings)).min(cap);
    // Between three quarters and all of it, so that many jobs do not come back at one moment.
    pause.mul_f64(0.75 + 0.25 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
