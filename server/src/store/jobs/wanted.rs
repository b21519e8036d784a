//! What somebody wants of a job, noted for the poller to make it so.
//! Each takes the row as it stands, so that of two who want the same one is the first.

use super::{DUE_AT_ONCE, Job, change_job, has_own_queue};
use crate::store::{AnyConnection, QueryResult};
use protocol::{JobId, Timestamp};

/// Notes that a job is to be aborted, and why; `false` if it has ended or an abort is noted already.
pub fn request_abort(connection: &mut AnyConnection, id: JobId, reason: &str, now: Timestamp) -> QueryResult<bool> {
    let mut is_new = false;
    change_job(connection, id, |job| {
        is_new = !job.status.is_terminal() && job.abort_requested_at.is_none();
        if is_new {
            want_abort(job, reason, now);
        }
        is_new
    })?;
    Ok(is_new)
}

/// Notes that a job is to be deleted; `false` if that is noted already or the job is gone. One that may run at the
/// remote server is aborted first.
pub fn request_delete(connection: &mut AnyConnection, id: JobId, reason: &str, now: Timestamp) -> QueryResult<bool> {
    let mut is_new = false;
    change_job(connection, id, |job| {
        is_new = job.delete_requested_at.is_none();
        if !is_new {
            return false;
        }
        if !job.status.is_terminal() && job.abort_requested_at.is_none() && has_own_queue(job) {
            want_abort(job, reason, now);
        }
        job.delete_requested_at = Some(now);
        (job.next_at, job.attempts) = (Some(DUE_AT_ONCE), 0);
        true
    })?;
    Ok(is_new)
}

/// Notes that the job is to be aborted, and why.
pub fn want_abort(job: &mut Job, reason: &str, now: Timestamp) {
    job.abort_requested_at = Some(now);
    job.abort_reason = Some(reason.to_owned());
    (job.next_at, job.attempts) = (Some(DUE_AT_ONCE), 0);
}
