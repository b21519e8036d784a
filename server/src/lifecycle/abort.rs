//! An abort on its way: sent until the queue is seen to have ended, with growing pauses and questions in between.
//! A server may have taken it and died before it was durable, so its yes is no end.

use super::{Limits, Step};
use crate::store::jobs::Job;
use protocol::Timestamp;
use std::time::Duration;

/// Pause before an abort that did nothing is sent for the second time; it doubles from there.
const FIRST_RESEND: Duration = Duration::from_secs(5);
/// Pause before the first question about a queue whose abort was sent; it grows with each sending.
const FIRST_QUESTION: Duration = Duration::from_secs(1);
/// Longest pause between two questions.
const LONGEST_QUESTION: Duration = Duration::from_secs(20);

/// The next step of an open job that is to be aborted.
pub fn next_step_of_abort(job: &Job, limits: &Limits, now: Timestamp) -> Step {
    if job.submit_attempted_at.is_none() {
        return Step::EndUnsent;
    }
    // One that was sent later than now was so by a clock that has been put back since.
    let is_past = |sent: Timestamp| sent > now || now >= sent.plus(resend_pause(job, limits));
    let is_to_be_sent = job.abort_sent_at.is_none_or(is_past);
    if is_to_be_sent { Step::Abort } else { Step::Ask }
}

/// The server has answered to an abort.
pub fn note_abort_sent(job: &mut Job, now: Timestamp) {
    job.abort_sent_at = Some(now);
    job.abort_sends = job.abort_sends.saturating_add(1);
    job.attempts = 0;
}

/// When an open job whose abort was sent is looked at again: to be asked about, or to be aborted again.
pub fn asks_after_abort(job: &Job, limits: &Limits, now: Timestamp) -> Timestamp {
    let Some(sent) = job.abort_sent_at else { return now };
    let question = doubled(FIRST_QUESTION, job.abort_sends).min(LONGEST_QUESTION);
    now.plus(question).min(sent.plus(resend_pause(job, limits)).max(now))
}

fn resend_pause(job: &Job, limits: &Limits) -> Duration {
    doubled(FIRST_RESEND, job.abort_sends).min(limits.retry_max_interval)
}

/// `first` after one sending, twice as long after each further one.
fn doubled(first: Duration, sends: i64) -> Duration {
    let doublings = u32::try_from(sends.saturating_sub(1).clamp(0, 20)).unwrap_or(0);
    first.saturating_mul(2_u32.saturating_pow(doublings))
}
