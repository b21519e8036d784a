//! What the poller looks for: jobs that are due, jobs that are open, and when to look again.
//! Each pass asks for one environment and one lane at a time.

use super::Job;
use crate::store::schema::jobs;
use crate::store::{AnyConnection, QueryResult};
use diesel::dsl::not;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use protocol::api::{CleanupState, LogsState};
use protocol::{JobId, Timestamp};

/// Which of its environment's loops a due job waits for. What takes long in one must not hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The queue at the remote server: sent, asked about, aborted, deleted.
    Queue,
    /// Its logs and result files are fetched next.
    Files,
    /// Its workspace is cleaned up next.
    Shell,
}

type Condition = Box<dyn BoxableExpression<jobs::table, <AnyConnection as Connection>::Backend, SqlType = Bool>>;

/// The same as the lane of `lifecycle::next_step`.
fn is_in(lane: Lane) -> Condition {
    match lane {
        Lane::Queue => Box::new(not(is_mirrored_next()).and(not(is_cleaned_next()))),
        Lane::Files => is_mirrored_next(),
        Lane::Shell => is_cleaned_next(),
    }
}

fn is_mirrored_next() -> Condition {
    let has_ended = jobs::status.ne("waiting").and(jobs::status.ne("in_progress"));
    Box::new(jobs::delete_requested_at.is_null().and(has_ended).and(jobs::logs_state.eq(LogsState::Mirroring.as_str())))
}

fn is_cleaned_next() -> Condition {
    let of_deletion = jobs::delete_requested_at
        .is_not_null()
        .and(jobs::remote_deleted_at.is_not_null())
        .and(jobs::cleaned_at.is_null());
    let after_end = jobs::delete_requested_at
        .is_null()
        .and(jobs::cleanup_state.eq(CleanupState::Pending.as_str()))
        .and(jobs::logs_state.ne(LogsState::Mirroring.as_str()));
    Box::new(of_deletion.or(after_end))
}

/// Jobs of an environment that are due beside the plain rounds, the longest due first.
pub fn list_due(
    connection: &mut AnyConnection,
    environment: &str,
    lane: Lane,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<Job>> {
    jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(is_in(lane))
        .filter(jobs::next_at.le(now.0))
        .order((jobs::next_at, jobs::id))
        .limit(limit)
        .load(connection)
}

/// Jobs that the remote server has accepted and that have not ended: what a plain round asks about.
pub fn list_open(connection: &mut AnyConnection, environment: &str) -> QueryResult<Vec<Job>> {
    jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(jobs::status.eq("waiting").or(jobs::status.eq("in_progress")))
        .filter(jobs::accepted_at.is_not_null())
        .order(jobs::id)
        .load(connection)
}

/// Whether there are open jobs that an earlier instance of this installation made.
pub fn has_open_of_other_instance(
    connection: &mut AnyConnection,
    environment: &str,
    instance: &str,
) -> QueryResult<bool> {
    let of_others = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(jobs::status.eq("waiting").or(jobs::status.eq("in_progress")))
        .filter(jobs::instance.ne(instance))
        .select(jobs::id)
        .first::<i64>(connection);
    Ok(of_others.optional()?.is_some())
}

/// Puts off a job that is due; one that somebody made due again meanwhile stays so.
pub fn postpone_due(connection: &mut AnyConnection, id: JobId, now: Timestamp, until: Timestamp) -> QueryResult<()> {
    let due = jobs::table.filter(jobs::id.eq(id.0)).filter(jobs::next_at.le(now.0));
    diesel::update(due).set(jobs::next_at.eq(until.0)).execute(connection).map(drop)
}

/// When the poller has to look at the environment's jobs next.
pub fn earliest_due(connection: &mut AnyConnection, environment: &str, lane: Lane) -> QueryResult<Option<Timestamp>> {
    let earliest: Option<i64> = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(is_in(lane))
        .filter(jobs::next_at.is_not_null())
        .order(jobs::next_at)
        .select(jobs::next_at.assume_not_null())
        .first(connection)
        .optional()?;
    Ok(earliest.map(Timestamp))
}

/// The environment can't be reached: nothing is known any more of its open jobs. Whether any job changed.
pub fn mark_all_failing(connection: &mut AnyConnection, environment: &str, error: &str) -> QueryResult<bool> {
    let open = || {
        jobs::table
            .filter(jobs::environment.eq(environment))
            .filter(jobs::status.eq("waiting").or(jobs::status.eq("in_progress")))
    };
    let synced = open().filter(jobs::sync_state.eq("synced"));
    let failed = diesel::update(synced)
        .set((jobs::sync_state.eq("failing"), jobs::sync_error.eq(error), jobs::revision.eq(jobs::revision + 1)))
        .execute(connection)?;
    let pending = open().filter(jobs::sync_state.eq("pending")).filter(jobs::sync_error.is_null());
    let noted = diesel::update(pending)
        .set((jobs::sync_error.eq(error), jobs::revision.eq(jobs::revision + 1)))
        .execute(connection)?;
    Ok(failed + noted > 0)
}
