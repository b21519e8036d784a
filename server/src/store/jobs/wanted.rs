//! What somebody wants of a job, noted for the poller to make it so.
//! Each is one conditional UPDATE, so that of two who want the same one is the first.

use crate::store::schema::jobs;
use crate::store::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::{JobId, Timestamp};

/// Notes that a job is to be aborted, and why; `false` if it has ended or an abort is noted already.
pub fn request_abort(connection: &mut AnyConnection, id: JobId, reason: &str, now: Timestamp) -> QueryResult<bool> {
    let open = jobs::table
        .filter(jobs::id.eq(id.0))
        .filter(jobs::finished_at.is_null())
        .filter(jobs::abort_requested_at.is_null());
    let moved = diesel::update(open)
        .set((
            jobs::abort_requested_at.eq(now.0),
            jobs::abort_reason.eq(reason),
            jobs::next_at.eq(now.0),
            jobs::attempts.eq(0),
            jobs::revision.eq(jobs::revision + 1),
        ))
        .execute(connection)?;
    Ok(moved == 1)
}

/// Notes that a job is to be deleted; `false` if that is noted already or the job is gone.
pub fn request_delete(connection: &mut AnyConnection, id: JobId, now: Timestamp) -> QueryResult<bool> {
    let kept = jobs::table.filter(jobs::id.eq(id.0)).filter(jobs::delete_requested_at.is_null());
    let moved = diesel::update(kept)
        .set((
            jobs::delete_requested_at.eq(now.0),
            jobs::next_at.eq(now.0),
            jobs::attempts.eq(0),
            jobs::revision.eq(jobs::revision + 1),
        ))
        .execute(connection)?;
    Ok(moved == 1)
}
