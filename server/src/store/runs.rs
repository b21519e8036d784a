//! Rows of `runs`: how each scenario has ended, noted in the transaction in which its job ends and gone with the job.
//! The same facts as the tasks', in the order in which history is asked for, so that no question reads all jobs.

use super::jobs::is_open;
use super::schema::{jobs, runs, tasks};
use super::values::{JobKey, Millis, OptionalMillis, TaskStatusText};
use super::{AnyConnection, QueryResult};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use protocol::{JobId, TaskStatus, Timestamp};

type Backend = <AnyConnection as Connection>::Backend;

#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Run {
    #[diesel(deserialize_as = JobKey)]
    pub job_id: JobId,
    pub n: i64,
    pub environment: String,
    pub branch_name: String,
    pub scenario: String,
    #[diesel(deserialize_as = TaskStatusText)]
    pub status: TaskStatus,
    pub duration_ms: Option<i64>,
    #[diesel(deserialize_as = Millis)]
    pub finished_at: Timestamp,
}

/// Where what passes on no other branch may be looked for.
pub const DEFAULT_BRANCHES: [&str; 2] = ["main", "master"];

/// A run with its job's commit and queue id.
pub type RunOfJob = (Run, String, String);

/// Which runs are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub environment: String,
    pub scenario: String,
    /// All branches, if none.
    pub branch: Option<String>,
}

/// The last run of a page: the next one begins before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    pub finished_at: Timestamp,
    pub job_id: JobId,
}

/// A run that passed, as others refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct PassedRun {
    #[diesel(deserialize_as = JobKey)]
    pub job_id: JobId,
    pub commit: String,
    #[diesel(deserialize_as = Millis)]
    pub finished_at: Timestamp,
}

/// Notes how a job's tasks have ended: called where a job ends, after its tasks have been saved.
pub fn record(connection: &mut AnyConnection, job: JobId) -> QueryResult<()> {
    // As in the migration that made the table; one statement, however many tasks there are.
    let insert = "INSERT INTO runs (job_id, n, environment, branch_name, scenario, status, duration_ms, finished_at)
         SELECT tasks.job_id, tasks.n, jobs.environment, jobs.branch_name, tasks.scenario, tasks.status,
             CASE WHEN tasks.started_at IS NULL OR tasks.finished_at IS NULL THEN NULL
                 WHEN tasks.finished_at > tasks.started_at THEN tasks.finished_at - tasks.started_at ELSE 0 END,
             COALESCE(tasks.finished_at, jobs.finished_at, jobs.created_at)
         FROM tasks JOIN jobs ON jobs.id = tasks.job_id
         WHERE tasks.job_id = $1 AND tasks.status NOT IN ('waiting', 'running')";
    diesel::sql_query(insert).bind::<BigInt, _>(job.0).execute(connection)?;
    touch_later(connection, job)
}

/// Makes another version of each job that shows, as where a scenario had passed last, one of this job's runs: called
/// when these come, which may be in another order than that of their ends, and before they go. A run counts up to the
/// next one on its branch that passed; one on a default branch also for the others.
pub fn touch_later(connection: &mut AnyConnection, job: JobId) -> QueryResult<()> {
    let touch = "UPDATE jobs SET revision = revision + 1, version = version + 1 WHERE id IN (
             SELECT later.job_id
             FROM runs AS passed
             JOIN runs AS later ON later.environment = passed.environment AND later.scenario = passed.scenario
                 AND later.finished_at >= passed.finished_at
                 AND later.finished_at <= COALESCE((
                     SELECT MIN(next.finished_at) FROM runs AS next
                     WHERE next.environment = passed.environment AND next.branch_name = passed.branch_name
                         AND next.scenario = passed.scenario AND next.status = 'passed'
                         AND next.finished_at > passed.finished_at
                 ), $1)
             WHERE passed.job_id = $2 AND passed.status = 'passed'
                 AND later.status <> 'passed' AND later.job_id <> passed.job_id
                 AND (later.branch_name = passed.branch_name OR passed.branch_name IN ($3, $4))
         )";
    let [main, other] = DEFAULT_BRANCHES;
    diesel::sql_query(touch)
        .bind::<BigInt, _>(i64::MAX)
        .bind::<BigInt, _>(job.0)
        .bind::<Text, _>(main)
        .bind::<Text, _>(other)
        .execute(connection)
        .map(drop)
}

/// A page of a scenario's runs, newest first.
pub fn list_runs(
    connection: &mut AnyConnection,
    series: &Series,
    before: Option<Before>,
    limit: i64,
) -> QueryResult<Vec<RunOfJob>> {
    let mut query = runs::table
        .inner_join(jobs::table)
        .select((runs::all_columns, jobs::commit_hash, jobs::remote_queue_id))
        .filter(runs::environment.eq(series.environment.clone()))
        .filter(runs::scenario.eq(series.scenario.clone()))
        .order((runs::finished_at.desc(), runs::job_id.desc()))
        .limit(limit)
        .into_boxed::<Backend>();
    if let Some(branch) = &series.branch {
        query = query.filter(runs::branch_name.eq(branch.clone()));
    }
    if let Some(Before { finished_at, job_id }) = before {
        let same_moment = runs::finished_at.eq(finished_at.0).and(runs::job_id.lt(job_id.0));
        // The first condition says nothing new, but it is the one that an index can be entered by.
        query = query
            .filter(runs::finished_at.le(finished_at.0))
            .filter(runs::finished_at.lt(finished_at.0).or(same_moment));
    }
    query.load(connection)
}

/// A scenario's last runs, newest first.
pub fn last_runs(connection: &mut AnyConnection, series: &Series, limit: i64) -> QueryResult<Vec<Run>> {
    let mut query = runs::table
        .filter(runs::environment.eq(series.environment.clone()))
        .filter(runs::scenario.eq(series.scenario.clone()))
        .order((runs::finished_at.desc(), runs::job_id.desc()))
        .limit(limit)
        .into_boxed::<Backend>();
    if let Some(branch) = &series.branch {
        query = query.filter(runs::branch_name.eq(branch.clone()));
    }
    query.load(connection)
}

/// The scenarios that have run there: each name is a look into the index, whatever the number of runs.
pub fn list_scenarios(
    connection: &mut AnyConnection,
    environment: &str,
    branch: Option<&str>,
) -> QueryResult<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let mut next = runs::table
            .select(runs::scenario)
            .filter(runs::environment.eq(environment.to_owned()))
            .order(runs::scenario)
            .limit(1)
            .into_boxed::<Backend>();
        if let Some(branch) = branch {
            next = next.filter(runs::branch_name.eq(branch.to_owned()));
        }
        if let Some(last) = found.last() {
            next = next.filter(runs::scenario.gt(last.clone()));
        }
        match next.first(connection).optional()? {
            Some(name) => found.push(name),
            None => return Ok(found),
        }
    }
}

/// The last run before this one that passed on a branch.
pub fn last_passed(connection: &mut AnyConnection, run: &Run, branch: &str) -> QueryResult<Option<PassedRun>> {
    let same_moment = runs::finished_at.eq(run.finished_at.0).and(runs::job_id.lt(run.job_id.0));
    runs::table
        .inner_join(jobs::table)
        .select((runs::job_id, jobs::commit_hash, runs::finished_at))
        .filter(runs::environment.eq(&run.environment))
        .filter(runs::branch_name.eq(branch))
        .filter(runs::scenario.eq(&run.scenario))
        // Not as a parameter, or the partial index could not be used.
        .filter(sql::<Bool>("runs.status = 'passed'"))
        .filter(runs::finished_at.le(run.finished_at.0))
        .filter(runs::finished_at.lt(run.finished_at.0).or(same_moment))
        .order((runs::finished_at.desc(), runs::job_id.desc()))
        .first(connection)
        .optional()
}

/// The run of each of an ended job's tasks that did not pass.
pub fn list_unpassed(connection: &mut AnyConnection, job: JobId) -> QueryResult<Vec<Run>> {
    runs::table
        .filter(runs::job_id.eq(job.0))
        .filter(runs::status.ne(TaskStatus::Passed.as_str()))
        .order(runs::n)
        .load(connection)
}

/// A task that has not ended, with what decides when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct OpenTask {
    #[diesel(deserialize_as = JobKey)]
    pub job_id: JobId,
    pub n: i64,
    pub scenario: String,
    #[diesel(deserialize_as = TaskStatusText)]
    pub status: TaskStatus,
    #[diesel(deserialize_as = OptionalMillis)]
    pub started_at: Option<Timestamp>,
    /// The job's place in the remote server's waiting line.
    pub position: Option<i64>,
    pub job_has_started: bool,
}

/// The tasks that have not ended of an environment's open jobs, the oldest jobs' first: at most `limit`, and of each job
/// all or none.
pub fn list_open_tasks(connection: &mut AnyConnection, environment: &str, limit: i64) -> QueryResult<Vec<OpenTask>> {
    let is_waiting = tasks::status.eq(TaskStatus::Waiting.as_str());
    let mut found: Vec<OpenTask> = tasks::table
        .inner_join(jobs::table)
        .filter(jobs::environment.eq(environment))
        .filter(is_open())
        .filter(is_waiting.or(tasks::status.eq(TaskStatus::Running.as_str())))
        .order((jobs::id, tasks::n))
        .limit(limit)
        .select((
            tasks::job_id,
            tasks::n,
            tasks::scenario,
            tasks::status,
            tasks::started_at,
            jobs::position,
            jobs::started_at.is_not_null(),
        ))
        .load(connection)?;
    let is_cut = i64::try_from(found.len()).is_ok_and(|count| count >= limit);
    if let Some(last) = found.last().map(|task| task.job_id).filter(|_| is_cut) {
        found.retain(|task| task.job_id != last);
    }
    Ok(found)
}
