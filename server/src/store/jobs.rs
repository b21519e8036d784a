//! Rows of `jobs`: what is wanted, what is known, and when the poller has to look again.
//! Every change is one conditional UPDATE on the row's version, so that nobody overwrites what they have not seen.

mod due;
mod lane;
mod wanted;

pub(super) use due::is_open;
pub use due::{
    DUE_AT_ONCE, earliest_due, end_waits, find_jobs, find_removed, forget_pauses, forget_unknown,
    has_open_of_other_instance, list_due, list_due_behind, list_open, list_watched, mark_all_failing, postpone_due,
    shift_times, touch, watch,
};
pub use lane::{Lane, has_own_queue, may_be_there};
pub use wanted::{request_abort, request_delete, want_abort};

use super::audit::{AuditEntry, insert_audit_entry};
use super::connection::on_own;
use super::environments::find_environment_status;
use super::installation;
use super::prepared::Prepared;
use super::runs;
use super::schema::{jobs, users};
use super::tasks::{Task, find_tasks, insert_tasks, save_task};
use super::values::{
    CleanupStateText, JobKey, JobStatusText, LaneText, LogsStateText, Millis, OptionalJobKey, OptionalMillis,
    SyncStateText, UserKey,
};
use super::{AnyConnection, QueryResult, next_id};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use protocol::api::{AuditAction, CleanupState, LogsState, SyncState, TaskCounts, Via};
use protocol::{JobId, JobStatus, Timestamp, UserId};
use std::time::Duration;

/// For a job and its tasks of one revision; far more than a job ever changes meanwhile.
const MOST_LOOKS: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = jobs, treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Job {
    #[diesel(deserialize_as = JobKey, serialize_as = JobKey, skip_update)]
    pub id: JobId,
    pub revision: i64,
    pub instance: String,
    #[diesel(deserialize_as = UserKey, serialize_as = UserKey)]
    pub user_id: UserId,
    pub environment: String,
    pub branch_name: String,
    pub commit_hash: String,
    pub remote_queue_id: String,
    #[diesel(deserialize_as = OptionalJobKey, serialize_as = OptionalJobKey)]
    pub rerun_of: Option<JobId>,
    pub timeout_ms: i64,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub created_at: Timestamp,

    #[diesel(deserialize_as = JobStatusText, serialize_as = JobStatusText)]
    pub status: JobStatus,
    pub status_reason: Option<String>,
    pub position: Option<i64>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub started_at: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub finished_at: Option<Timestamp>,
    pub count_waiting: i64,
    pub count_running: i64,
    pub count_passed: i64,
    pub count_failed: i64,
    pub count_error: i64,
    pub count_aborted: i64,
    pub count_skipped: i64,

    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub abort_requested_at: Option<Timestamp>,
    /// The `status_reason` that a wanted abort leads to.
    pub abort_reason: Option<String>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub delete_requested_at: Option<Timestamp>,

    #[diesel(deserialize_as = SyncStateText, serialize_as = SyncStateText)]
    pub sync_state: SyncState,
    pub sync_error: Option<String>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub last_synced_at: Option<Timestamp>,
    /// From here on the submission may have reached the remote server, even if no answer came.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub submit_attempted_at: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub accepted_at: Option<Timestamp>,
    /// When the queue was first seen running here: the start of its time where the remote server's clock is unknown.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub seen_running_at: Option<Timestamp>,
    /// The remote server has taken the abort; what is left is to see the queue end.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub abort_confirmed_at: Option<Timestamp>,
    pub remote_etag: Option<String>,

    #[diesel(deserialize_as = LogsStateText, serialize_as = LogsStateText)]
    pub logs_state: LogsState,
    pub logs_error: Option<String>,
    #[diesel(deserialize_as = CleanupStateText, serialize_as = CleanupStateText)]
    pub cleanup_state: CleanupState,
    pub cleanup_error: Option<String>,
    /// Since when the clean-up is being tried.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub cleanup_since: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub cleaned_at: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub remote_deleted_at: Option<Timestamp>,

    /// When the poller has to look at the job beside the plain rounds; `None`: nothing is due.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub next_at: Option<Timestamp>,
    /// Failed attempts in a row at what is due; the back-off is made from it.
    pub attempts: i64,

    /// Bumped by every save, which is conditional on it.
    pub version: i64,
    #[diesel(deserialize_as = LaneText, serialize_as = LaneText)]
    pub lane: Lane,
    /// Since when the remote server has said, in every answer, that it does not know the queue.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub unknown_since: Option<Timestamp>,
    pub unknown_count: i64,
    /// The last time that the queue was sent.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub last_sent_at: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub abort_sent_at: Option<Timestamp>,
    pub abort_sends: i64,
    /// When the job ended by our own clock.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub ended_here_at: Option<Timestamp>,
    /// Written by readers, never by a save.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis, skip_update)]
    pub watched_until: Option<Timestamp>,
    /// Since when it waits, where this server's clock was set since it was created. Written by what follows the clock.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis, skip_update)]
    pub waits_since: Option<Timestamp>,
}

/// What a submission or a rerun stores.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub instance: String,
    pub user_id: UserId,
    pub environment: String,
    pub queue_id_prefix: String,
    pub branch_name: String,
    pub commit: String,
    pub scenarios: Vec<String>,
    pub rerun_of: Option<JobId>,
    pub timeout: Duration,
}

impl Job {
    pub(crate) fn new(id: JobId, new: &NewJob, now: Timestamp) -> Self {
        Self {
            id,
            revision: 1,
            instance: new.instance.clone(),
            user_id: new.user_id,
            environment: new.environment.clone(),
            branch_name: new.branch_name.clone(),
            commit_hash: new.commit.clone(),
            remote_queue_id: format!("{}{id}", new.queue_id_prefix),
            rerun_of: new.rerun_of,
            timeout_ms: i64::try_from(new.timeout.as_millis()).unwrap_or(i64::MAX),
            created_at: now,
            status: JobStatus::Waiting,
            status_reason: None,
            position: None,
            started_at: None,
            finished_at: None,
            count_waiting: i64::try_from(new.scenarios.len()).unwrap_or(i64::MAX),
            count_running: 0,
            count_passed: 0,
            count_failed: 0,
            count_error: 0,
            count_aborted: 0,
            count_skipped: 0,
            abort_requested_at: None,
            abort_reason: None,
            delete_requested_at: None,
            sync_state: SyncState::Pending,
            sync_error: None,
            last_synced_at: None,
            submit_attempted_at: None,
            accepted_at: None,
            seen_running_at: None,
            abort_confirmed_at: None,
            remote_etag: None,
            logs_state: LogsState::Mirroring,
            logs_error: None,
            cleanup_state: CleanupState::None,
            cleanup_error: None,
            cleanup_since: None,
            cleaned_at: None,
            remote_deleted_at: None,
            next_at: Some(DUE_AT_ONCE),
            attempts: 0,
            version: 1,
            lane: Lane::Send,
            unknown_since: None,
            unknown_count: 0,
            last_sent_at: None,
            abort_sent_at: None,
            abort_sends: 0,
            ended_here_at: None,
            watched_until: None,
            waits_since: None,
        }
    }

    pub fn counts(&self) -> TaskCounts {
        let count = |n: i64| u32::try_from(n).unwrap_or(0);
        let mut counts = TaskCounts {
            total: 0,
            waiting: count(self.count_waiting),
            running: count(self.count_running),
            passed: count(self.count_passed),
            failed: count(self.count_failed),
            error: count(self.count_error),
            aborted: count(self.count_aborted),
            skipped: count(self.count_skipped),
        };
        let ended = counts.passed + counts.failed + counts.error + counts.aborted + counts.skipped;
        counts.total = counts.waiting + counts.running + ended;
        counts
    }

    pub fn set_counts(&mut self, counts: TaskCounts) {
        self.count_waiting = counts.waiting.into();
        self.count_running = counts.running.into();
        self.count_passed = counts.passed.into();
        self.count_failed = counts.failed.into();
        self.count_error = counts.error.into();
        self.count_aborted = counts.aborted.into();
        self.count_skipped = counts.skipped.into();
    }

    /// The wire's id of task `n`.
    pub fn task_id(&self, n: i64) -> String {
        format!("{}-{n}", self.remote_queue_id)
    }

    /// Whether a reader of the API sees a difference, the sync time aside (which the `ETag` leaves out).
    fn differs_visibly(&self, other: &Self) -> bool {
        let invisible_made_equal = Self {
            last_synced_at: other.last_synced_at,
            submit_attempted_at: other.submit_attempted_at,
            accepted_at: other.accepted_at,
            seen_running_at: other.seen_running_at,
            abort_confirmed_at: other.abort_confirmed_at,
            remote_etag: other.remote_etag.clone(),
            cleanup_since: other.cleanup_since,
            cleaned_at: other.cleaned_at,
            remote_deleted_at: other.remote_deleted_at,
            next_at: other.next_at,
            attempts: other.attempts,
            version: other.version,
            lane: other.lane,
            unknown_since: other.unknown_since,
            unknown_count: other.unknown_count,
            last_sent_at: other.last_sent_at,
            abort_sent_at: other.abort_sent_at,
            abort_sends: other.abort_sends,
            ended_here_at: other.ended_here_at,
            watched_until: other.watched_until,
            ..self.clone()
        };
        invisible_made_equal != *other
    }
}

/// Stores a job and its tasks; it is due at once. Its id comes after `last`, which has been given out even if the database does not know of it any more.
pub fn insert_job_after(connection: &mut AnyConnection, last: JobId, new: &NewJob, now: Timestamp) -> QueryResult<Job> {
    let mut id = JobId(next_id(connection, "job")?);
    if id <= last {
        installation::skip(connection, id, last)?;
        id = JobId(next_id(connection, "job")?);
    }
    let job = Job::new(id, new, now);
    on_own!(connection, |own| diesel::insert_into(jobs::table).values(job.clone()).execute(own))?;
    let tasks = (1..).zip(&new.scenarios).map(|(n, scenario)| Task::new(id, n, scenario.clone()));
    insert_tasks(connection, tasks.collect())?;
    Ok(job)
}

/// A job with its owner's name.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct OwnedJob {
    pub job: Job,
    pub username: String,
}

/// A job with its owner's name and its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeJob {
    pub job: Job,
    pub username: String,
    pub tasks: Vec<Task>,
}

pub fn find_job(connection: &mut AnyConnection, id: JobId) -> QueryResult<Option<Job>> {
    let job = jobs::table.filter(jobs::id.eq(id.0)).select(jobs::all_columns);
    on_own!(connection, |own| job.first(own)).optional()
}

pub fn find_owned_job(connection: &mut AnyConnection, id: JobId) -> QueryResult<Option<OwnedJob>> {
    let job =
        jobs::table.inner_join(users::table).filter(jobs::id.eq(id.0)).select((jobs::all_columns, users::username));
    on_own!(connection, |own| job.first(own)).optional()
}

/// A job with its tasks, all of one revision; `None` if there is no such job.
///
/// # Errors
/// The job changed whenever it was looked at: the database is busy.
pub fn find_whole_job(connection: &mut AnyConnection, id: JobId) -> QueryResult<Option<WholeJob>> {
    let mut found = find_owned_job(connection, id)?;
    // Two queries see two moments, and one transaction would be of no use where each statement is pooled by itself.
    for _ in 0..MOST_LOOKS {
        let Some(OwnedJob { job, username }) = found else { return Ok(None) };
        let tasks = find_tasks(connection, id)?;
        found = find_owned_job(connection, id)?;
        if found.as_ref().is_some_and(|again| again.job.revision == job.revision) {
            return Ok(Some(WholeJob { job, username, tasks }));
        }
    }
    let told = "the job changed whenever it was looked at".to_owned();
    Err(DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(told)))
}

/// Saves what came of looking at a job, unless somebody changed it meanwhile: then `false`, and nothing is saved.
/// The version goes up with every save, the revision only with what a reader can see.
pub fn save_job(
    connection: &mut AnyConnection,
    before: &Job,
    after: &Job,
    changed_tasks: Vec<Task>,
) -> QueryResult<bool> {
    let is_visible = !changed_tasks.is_empty() || after.differs_visibly(before);
    if !update_row(connection, before, after, is_visible)? {
        return Ok(false);
    }
    for task in changed_tasks {
        save_task(connection, task)?;
    }
    if after.status.is_terminal() && !before.status.is_terminal() {
        runs::record(connection, after.id)?;
    }
    note_own_abort(connection, before, after)?;
    Ok(true)
}

/// What TestArena aborts by itself, past a time limit, is noted as what people abort is.
fn note_own_abort(connection: &mut AnyConnection, before: &Job, after: &Job) -> QueryResult<()> {
    let Some(now) = after.abort_requested_at.filter(|_| before.abort_requested_at.is_none()) else {
        return Ok(());
    };
    let detail = serde_json::json!({ "reason": after.abort_reason });
    let entry = AuditEntry::by_nobody(Via::System, AuditAction::AbortJob, format!("job:{}", after.id), &detail);
    insert_audit_entry(connection, entry, now)
}

fn update_row(connection: &mut AnyConnection, before: &Job, after: &Job, is_visible: bool) -> QueryResult<bool> {
    let row = jobs::table.filter(jobs::id.eq(before.id.0)).filter(jobs::version.eq(before.version));
    let (revision, version) = (before.revision + i64::from(is_visible), before.version + 1);
    let saved = Job { revision, version, lane: after.lane_now(), ..after.clone() };
    let is_saved = on_own!(connection, |own| Prepared(diesel::update(row).set(saved)).execute(own))? == 1;
    if is_saved && is_in_rounds(before) && !is_in_rounds(after) {
        keep_age(connection, after)?;
    }
    Ok(is_saved)
}

/// Whether what the rounds say of all jobs at once is said of this one.
fn is_in_rounds(job: &Job) -> bool {
    job.sync_state == SyncState::Synced && !job.status.is_terminal()
}

/// The last round spoke of a job that the next one will not speak of: no age ever jumps back.
fn keep_age(connection: &mut AnyConnection, job: &Job) -> QueryResult<()> {
    let round_at = find_environment_status(connection, &job.environment)?.and_then(|status| status.round_at);
    let Some(round_at) = round_at.filter(|round_at| job.last_synced_at.is_some_and(|at| at < *round_at)) else {
        return Ok(());
    };
    diesel::update(jobs::table.filter(jobs::id.eq(job.id.0)))
        .set(jobs::last_synced_at.eq(round_at.0))
        .execute(connection)
        .map(drop)
}

/// Changes a job as it stands now, whoever saves it meanwhile; the job afterwards, or `None` if there is none.
/// `change` says whether it changed anything.
pub fn change_job(
    connection: &mut AnyConnection,
    id: JobId,
    change: impl FnOnce(&mut Job) -> bool,
) -> QueryResult<Option<Job>> {
    // The transaction begins with its write, which also keeps everybody else from the row until it ends.
    let row = jobs::table.filter(jobs::id.eq(id.0));
    let locked = Prepared(diesel::update(row).set(jobs::version.eq(jobs::version + 1)));
    if on_own!(connection, |own| locked.execute(own))? == 0 {
        return Ok(None);
    }
    let Some(before) = find_job(connection, id)? else { return Ok(None) };
    let mut after = before.clone();
    if change(&mut after) {
        update_row(connection, &before, &after, true)?;
    }
    Ok(Some(after))
}

/// Removes a job with its tasks and notes of result files.
pub fn remove_job(connection: &mut AnyConnection, id: JobId) -> QueryResult<bool> {
    runs::touch_later(connection, id)?;
    Ok(diesel::delete(jobs::table.filter(jobs::id.eq(id.0))).execute(connection)? == 1)
}

/// Lets readers see a change that stands in another table.
pub fn bump_revision(connection: &mut AnyConnection, id: JobId) -> QueryResult<()> {
    diesel::update(jobs::table.filter(jobs::id.eq(id.0)))
        .set((jobs::revision.eq(jobs::revision + 1), jobs::version.eq(jobs::version + 1)))
        .execute(connection)
        .map(drop)
}
