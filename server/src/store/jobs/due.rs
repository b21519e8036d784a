//! What the poller looks for: jobs that are due, jobs that are open or watched, and when to look again.
//! Each loop asks for one environment and one lane at a time.

use super::{Job, Lane};
use crate::store::connection::on_own;
use crate::store::prepared::Prepared;
use crate::store::schema::jobs;
use crate::store::{AnyConnection, QueryResult, installation};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};
use protocol::api::{CleanupState, SyncState};
use protocol::{JobId, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// What people want is due by no clock: that of the process which writes it down may be ahead of the poller's.
pub const DUE_AT_ONCE: Timestamp = Timestamp(0);
/// How long a job counts as watched after somebody looked at it.
const WATCHED_FOR: Duration = Duration::from_secs(30);
/// While it counts as watched for longer than this, another look writes nothing.
const WATCHED_LONG_ENOUGH: Duration = Duration::from_secs(15);

/// More than a query takes, during which others go on noting what they do.
const FAR_AHEAD: Duration = Duration::from_mins(1);

type Condition = diesel::expression::SqlLiteral<Bool>;

/// The words of the partial index `jobs_open`, with the table's name for joins: with bound values `SQLite` could not prove
/// that it may be used.
pub(in crate::store) fn is_open() -> Condition {
    sql("jobs.status IN ('waiting', 'in_progress')")
}

/// As `is_open`, of the partial index `jobs_to_send`.
fn is_to_be_sent() -> Condition {
    sql("lane = 'send'")
}

/// Jobs of an environment that are due in a lane: of those to be sent the first submitted first, else the longest due.
/// Those in `except` are under way already.
pub fn list_due(
    connection: &mut AnyConnection,
    environment: &str,
    lane: Lane,
    now: Timestamp,
    except: &[JobId],
    limit: i64,
) -> QueryResult<Vec<Job>> {
    // Left out here, so that the statement is the same each time and stays prepared.
    let wanted = usize::try_from(limit).unwrap_or(0);
    let asked = limit.saturating_add(i64::try_from(except.len()).unwrap_or(i64::MAX));
    let due =
        jobs::table.filter(jobs::environment.eq(environment.to_owned())).filter(jobs::next_at.le(now.0)).limit(asked);
    let found: Vec<Job> = if lane == Lane::Send {
        let due = Prepared(due.filter(is_to_be_sent()).order(jobs::id).select(jobs::all_columns));
        on_own!(connection, |own| due.load(own))
    } else {
        let due = due.filter(jobs::lane.eq(lane.as_str())).order((jobs::next_at, jobs::id));
        on_own!(connection, |own| due.load(own))
    }?;
    Ok(found.into_iter().filter(|job| !except.contains(&job.id)).take(wanted).collect())
}

/// The same, of those that come behind `last` in that order, as it stood then.
pub fn list_due_behind(
    connection: &mut AnyConnection,
    environment: &str,
    lane: Lane,
    now: Timestamp,
    last: &Job,
    limit: i64,
) -> QueryResult<Vec<Job>> {
    let due = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(jobs::lane.eq(lane.as_str()))
        .filter(jobs::next_at.le(now.0))
        .limit(limit);
    if lane == Lane::Send {
        return due.filter(jobs::id.gt(last.id.0)).order(jobs::id).load(connection);
    }
    let at = last.next_at.map_or(i64::MIN, |at| at.0);
    let is_later = jobs::next_at.assume_not_null().gt(at);
    let is_behind = is_later.or(jobs::next_at.assume_not_null().eq(at).and(jobs::id.gt(last.id.0)));
    due.filter(is_behind).order((jobs::next_at, jobs::id)).load(connection)
}

/// Jobs that the remote server has accepted and that have not ended: what a plain round asks about.
pub fn list_open(connection: &mut AnyConnection, environment: &str) -> QueryResult<Vec<JobId>> {
    let ids: Vec<i64> = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(is_open())
        .filter(jobs::accepted_at.is_not_null())
        .order(jobs::id)
        .select(jobs::id)
        .load(connection)?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// These jobs as they stand, those that are there.
pub fn find_jobs(connection: &mut AnyConnection, ids: &[JobId]) -> QueryResult<Vec<Job>> {
    jobs::table.filter(jobs::id.eq_any(ids.iter().map(|id| id.0).collect::<Vec<_>>())).order(jobs::id).load(connection)
}

/// Open jobs of an environment that somebody is looking at.
pub fn list_watched(connection: &mut AnyConnection, environment: &str, now: Timestamp) -> QueryResult<Vec<JobId>> {
    let ids: Vec<i64> = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(jobs::watched_until.gt(now.0))
        .filter(is_open())
        .filter(jobs::accepted_at.is_not_null())
        .order(jobs::id)
        .select(jobs::id)
        .load(connection)?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Notes that somebody is looking at a job; it is no change that a save could miss.
pub fn watch(connection: &mut AnyConnection, id: JobId, now: Timestamp) -> QueryResult<()> {
    let is_forgotten =
        jobs::watched_until.is_null().or(jobs::watched_until.lt(now.plus(WATCHED_LONG_ENOUGH).0).assume_not_null());
    diesel::update(jobs::table.filter(jobs::id.eq(id.0)).filter(is_open()).filter(is_forgotten))
        .set(jobs::watched_until.eq(now.plus(WATCHED_FOR).0))
        .execute(connection)
        .map(drop)
}

/// Whether there are open jobs that an earlier instance of this installation made.
pub fn has_open_of_other_instance(
    connection: &mut AnyConnection,
    environment: &str,
    instance: &str,
) -> QueryResult<bool> {
    let of_others = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(is_open())
        .filter(jobs::instance.ne(instance))
        .select(jobs::id)
        .first::<i64>(connection);
    Ok(of_others.optional()?.is_some())
}

/// Puts off a job that is due; one that somebody made due again meanwhile stays so.
pub fn postpone_due(connection: &mut AnyConnection, id: JobId, now: Timestamp, until: Timestamp) -> QueryResult<()> {
    let due = jobs::table.filter(jobs::id.eq(id.0)).filter(jobs::next_at.le(now.0));
    diesel::update(due)
        .set((jobs::next_at.eq(until.0), jobs::version.eq(jobs::version + 1)))
        .execute(connection)
        .map(drop)
}

/// When the poller has to look at the environment's jobs next.
pub fn earliest_due(connection: &mut AnyConnection, environment: &str, lane: Lane) -> QueryResult<Option<Timestamp>> {
    let earliest = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(jobs::lane.eq(lane.as_str()))
        .filter(jobs::next_at.is_not_null())
        .order(jobs::next_at)
        .select(jobs::next_at.assume_not_null());
    let earliest: Option<i64> = on_own!(connection, |own| earliest.first(own)).optional()?;
    Ok(earliest.map(Timestamp))
}

/// The environment can't be reached: nothing is known any more of its open jobs, and those that are to be deleted wait.
/// `known_at` is when all of the synced ones were last known to be as they stand here; `soon` is when at the latest what is
/// tried again comes, past which queues only stay for their retention. Whether any job changed.
pub fn mark_all_failing(
    connection: &mut AnyConnection,
    environment: &str,
    error: &str,
    known_at: Option<Timestamp>,
    soon: Timestamp,
) -> QueryResult<bool> {
    let open = || jobs::table.filter(jobs::environment.eq(environment)).filter(is_open());
    let bump = || (jobs::revision.eq(jobs::revision + 1), jobs::version.eq(jobs::version + 1));
    // What the last round told of them must not be forgotten: no age ever jumps back.
    if let Some(known_at) = known_at {
        let older =
            open().filter(jobs::sync_state.eq(SyncState::Synced.as_str())).filter(jobs::last_synced_at.lt(known_at.0));
        diesel::update(older)
            .set((jobs::last_synced_at.eq(known_at.0), jobs::version.eq(jobs::version + 1)))
            .execute(connection)?;
    }
    let synced = open().filter(jobs::sync_state.eq(SyncState::Synced.as_str()));
    let failed = diesel::update(synced)
        .set((jobs::sync_state.eq(SyncState::Failing.as_str()), jobs::sync_error.eq(error), bump()))
        .execute(connection)?;
    let pending = open().filter(jobs::sync_state.eq(SyncState::Pending.as_str())).filter(jobs::sync_error.is_null());
    let noted = diesel::update(pending).set((jobs::sync_error.eq(error), bump())).execute(connection)?;
    let to_be_deleted = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(jobs::lane.eq(Lane::Act.as_str()))
        .filter(jobs::delete_requested_at.is_not_null())
        .filter(jobs::next_at.le(soon.0))
        .filter(jobs::sync_state.eq(SyncState::Synced.as_str()));
    let waiting = diesel::update(to_be_deleted)
        .set((jobs::sync_state.eq(SyncState::Failing.as_str()), jobs::sync_error.eq(error), bump()))
        .execute(connection)?;
    Ok(failed + noted + waiting > 0)
}

/// The server is back, or this process has just begun: what failed before in these lanes is tried at once.
pub fn forget_pauses(
    connection: &mut AnyConnection,
    environment: &str,
    lanes: &[Lane],
    now: Timestamp,
) -> QueryResult<()> {
    let in_lanes = jobs::lane.eq_any(lanes.iter().map(|lane| lane.as_str()));
    let paused = jobs::table.filter(jobs::environment.eq(environment)).filter(is_open()).filter(jobs::attempts.gt(0));
    diesel::update(paused.filter(in_lanes))
        .set((jobs::next_at.eq(now.0), jobs::attempts.eq(0), jobs::version.eq(jobs::version + 1)))
        .execute(connection)?;
    // Of ended jobs what somebody waits for: deletions, logs and results. How often those have failed decides when they are
    // given up, so that is kept.
    let ended = |lane: Lane| {
        let of_lane = jobs::table.filter(jobs::environment.eq(environment)).filter(jobs::lane.eq(lane.as_str()));
        of_lane.filter(jobs::attempts.gt(0))
    };
    // Also those that are being tried just now: a call that was sent while the server was away may fail only afterwards.
    diesel::update(ended(Lane::Act).filter(jobs::delete_requested_at.is_not_null()))
        .set((jobs::next_at.eq(now.0), jobs::attempts.eq(0), jobs::version.eq(jobs::version + 1)))
        .execute(connection)?;
    diesel::update(ended(Lane::Files).filter(jobs::next_at.gt(now.0)))
        .set((jobs::next_at.eq(now.0), jobs::version.eq(jobs::version + 1)))
        .execute(connection)
        .map(drop)
}

/// The server is away or back, and may have been without its store before and after, or a process has just begun to poll:
/// what was said until then of queues that the server does not know is not counted together with what it says from now on.
pub fn forget_unknown(connection: &mut AnyConnection, environment: &str) -> QueryResult<()> {
    let doubted =
        jobs::table.filter(jobs::environment.eq(environment)).filter(is_open()).filter(jobs::unknown_count.gt(0));
    diesel::update(doubted)
        .set((jobs::unknown_since.eq(None::<i64>), jobs::unknown_count.eq(0), jobs::version.eq(jobs::version + 1)))
        .execute(connection)
        .map(drop)
}

/// A process has just begun to poll: what is still to come may be so by a clock that was put back since, so all of it is
/// due. What has a reason to wait is put off again by its own step; what rests until its queue's retention is over stays.
pub fn end_waits(connection: &mut AnyConnection, environment: &str, now: Timestamp) -> QueryResult<()> {
    let lanes = [Lane::Send, Lane::Act, Lane::Files, Lane::Shell].map(Lane::as_str);
    let is_wanted =
        sql::<Bool>("(lane <> 'act' OR delete_requested_at IS NOT NULL OR status IN ('waiting', 'in_progress'))");
    let waiting = jobs::table
        .filter(jobs::environment.eq(environment))
        .filter(jobs::lane.eq_any(lanes))
        .filter(jobs::next_at.gt(now.0))
        .filter(is_wanted);
    diesel::update(waiting)
        .set((jobs::next_at.eq(now.0), jobs::version.eq(jobs::version + 1)))
        .execute(connection)
        .map(drop)
}

/// The clock, which stood at `before`, was set by `step` milliseconds: what was still to come keeps its distance, and what
/// has begun did so no longer ago than before. Where the clock was put back, only a moment ahead of it now is surely one
/// of the old clock's. What was sent may arrive for as long as `horizon`.
pub fn shift_times(
    connection: &mut AnyConnection,
    environment: &str,
    before: Timestamp,
    step: i64,
    horizon: Duration,
) -> QueryResult<()> {
    let to_come = before.0.min(before.0.saturating_add(step));
    diesel::update(jobs::table.filter(jobs::environment.eq(environment)).filter(jobs::next_at.gt(to_come)))
        .set((jobs::next_at.eq(jobs::next_at + step), jobs::version.eq(jobs::version + 1)))
        .execute(connection)?;
    // What lies far ahead of the old clock was not noted by it.
    let latest = before.plus(FAR_AHEAD).0;
    let moved = |column: &str| {
        let is_moved = if step > 0 { format!("{column} <= {latest}") } else { format!("{column} > {to_come}") };
        sql::<Nullable<BigInt>>(&format!("CASE WHEN {is_moved} THEN {column} + ({step}) ELSE {column} END"))
    };
    // Also of what has ended here and may arrive there yet, or could so again by a clock that was put back, and of what
    // may be given up.
    let may_arrive = jobs::last_sent_at.assume_not_null().gt(before.minus(horizon).0.min(to_come));
    let is_to_be_cleaned = jobs::cleanup_state.eq(CleanupState::Pending.as_str());
    let is_limited = is_open().or(may_arrive).or(is_to_be_cleaned);
    diesel::update(jobs::table.filter(jobs::environment.eq(environment)).filter(is_limited))
        .set((
            jobs::submit_attempted_at.eq(moved("submit_attempted_at")),
            jobs::last_sent_at.eq(moved("last_sent_at")),
            jobs::seen_running_at.eq(moved("seen_running_at")),
            jobs::abort_sent_at.eq(moved("abort_sent_at")),
            jobs::unknown_since.eq(moved("unknown_since")),
            jobs::ended_here_at.eq(moved("ended_here_at")),
            jobs::cleanup_since.eq(moved("cleanup_since")),
            jobs::last_synced_at.eq(moved("last_synced_at")),
            jobs::watched_until.eq(moved("watched_until")),
            jobs::waits_since.eq(moved("COALESCE(waits_since, created_at)")),
            jobs::version.eq(jobs::version + 1),
        ))
        .execute(connection)
        .map(drop)
}

/// Nobody saves any more what they made of jobs as they stood before.
pub fn touch(connection: &mut AnyConnection, environment: &str) -> QueryResult<()> {
    let alive = jobs::table.filter(jobs::environment.eq(environment)).filter(is_open().or(jobs::next_at.is_not_null()));
    diesel::update(alive).set(jobs::version.eq(jobs::version + 1)).execute(connection).map(drop)
}

/// Those of these ids that were given to jobs and are no job's any more. Jobs from after the backup from which the database
/// was put back are not among them: their files may be all that there is.
pub fn find_removed(connection: &mut AnyConnection, ids: &[JobId]) -> QueryResult<Vec<JobId>> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
    let there = jobs::table.filter(jobs::id.ge(first.0)).filter(jobs::id.le(last.0)).select(jobs::id);
    let there: BTreeSet<i64> = there.load(connection)?.into_iter().collect();
    let last_given = installation::last_job(connection)?;
    let skipped = installation::skipped_jobs(connection)?;
    let was_given =
        |id: JobId| id.0 >= 1 && id <= last_given && !skipped.as_ref().is_some_and(|ids| ids.contains(&id.0));
    Ok(ids.iter().copied().filter(|id| was_given(*id) && !there.contains(&id.0)).collect())
}
