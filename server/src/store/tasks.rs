//! Rows of `tasks` and `result_files`: one task is one scenario of one job.
//! Numbered from 1 in the order of submission; the wire's task id is `<queue id>-<n>`.

use super::connection::on_own;
use super::prepared::Prepared;
use super::schema::{result_files, tasks};
use super::values::{JobKey, OptionalMillis, TaskStatusText};
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::{JobId, TaskStatus, Timestamp};

#[derive(Clone, Debug, PartialEq, Queryable, Insertable)]
#[diesel(table_name = tasks, treat_none_as_default_value = false)]
pub struct Task {
    #[diesel(deserialize_as = JobKey, serialize_as = JobKey)]
    pub job_id: JobId,
    pub n: i64,
    pub scenario: String,
    #[diesel(deserialize_as = TaskStatusText, serialize_as = TaskStatusText)]
    pub status: TaskStatus,
    pub progress: Option<f64>,
    pub message: String,
    pub exit_code: Option<i64>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub started_at: Option<Timestamp>,
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub finished_at: Option<Timestamp>,
    /// Bytes of the log that are here.
    pub log_size: i64,
    pub log_complete: bool,
    pub results_complete: bool,
}

impl Task {
    pub fn new(job_id: JobId, n: i64, scenario: String) -> Self {
        Self {
            job_id,
            n,
            scenario,
            status: TaskStatus::Waiting,
            progress: None,
            message: String::new(),
            exit_code: None,
            started_at: None,
            finished_at: None,
            log_size: 0,
            log_complete: false,
            results_complete: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = result_files)]
pub struct ResultFile {
    #[diesel(deserialize_as = JobKey, serialize_as = JobKey)]
    pub job_id: JobId,
    pub n: i64,
    pub path: String,
    pub size: i64,
    pub content_type: String,
}

/// A new job's tasks.
pub(super) fn insert_tasks(connection: &mut AnyConnection, new: Vec<Task>) -> QueryResult<()> {
    match connection {
        // A statement that is known already costs less than the text of one for all.
        AnyConnection::Sqlite(sqlite) => new
            .into_iter()
            .try_for_each(|task| diesel::insert_into(tasks::table).values(task).execute(sqlite).map(drop)),
        // Each statement would be a way to the server and back.
        AnyConnection::Postgresql(postgres) => {
            diesel::insert_into(tasks::table).values(new).execute(postgres).map(drop)
        }
    }
}

/// A job's tasks in order.
pub fn find_tasks(connection: &mut AnyConnection, job: JobId) -> QueryResult<Vec<Task>> {
    let found = tasks::table.filter(tasks::job_id.eq(job.0)).order(tasks::n);
    on_own!(connection, |own| found.load(own))
}

pub fn find_task(connection: &mut AnyConnection, job: JobId, n: i64) -> QueryResult<Option<Task>> {
    tasks::table.find((job.0, n)).first(connection).optional()
}

/// Notes what the remote server said of a task. How much of its log and results is here is noted apart, by `save_mirrored`.
pub fn save_task(connection: &mut AnyConnection, task: Task) -> QueryResult<()> {
    let saved = (
        tasks::status.eq(task.status.as_str()),
        tasks::progress.eq(task.progress),
        tasks::message.eq(task.message),
        tasks::exit_code.eq(task.exit_code),
        tasks::started_at.eq(task.started_at.map(|at| at.0)),
        tasks::finished_at.eq(task.finished_at.map(|at| at.0)),
    );
    let save = Prepared(diesel::update(tasks::table.find((task.job_id.0, task.n))).set(saved));
    on_own!(connection, |own| save.execute(own)).map(drop)
}

/// Notes result files; noting the same twice changes nothing.
pub fn add_results(connection: &mut AnyConnection, files: Vec<ResultFile>) -> QueryResult<()> {
    for file in files {
        let noted = result_files::table.find((file.job_id.0, file.n, &file.path));
        let known = diesel::update(noted)
            .set((result_files::size.eq(file.size), result_files::content_type.eq(&file.content_type)))
            .execute(connection)?;
        if known == 0 {
            diesel::insert_into(result_files::table).values(file).execute(connection)?;
        }
    }
    Ok(())
}

/// All result files of these tasks of a job are here.
pub fn complete_results(connection: &mut AnyConnection, job: JobId, through: &[i64]) -> QueryResult<()> {
    for n in through {
        diesel::update(tasks::table.find((job.0, n))).set(tasks::results_complete.eq(true)).execute(connection)?;
    }
    Ok(())
}

/// How much of a job's results is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptResults {
    pub files: u64,
    pub bytes: u64,
}

pub fn sum_results(connection: &mut AnyConnection, job: JobId) -> QueryResult<KeptResults> {
    let sizes = result_files::table.filter(result_files::job_id.eq(job.0)).select(result_files::size);
    let sizes: Vec<i64> = sizes.load(connection)?;
    let bytes = sizes.iter().map(|size| size.unsigned_abs()).sum();
    Ok(KeptResults { files: sizes.len() as u64, bytes })
}

pub fn find_results(connection: &mut AnyConnection, job: JobId, n: i64) -> QueryResult<Vec<ResultFile>> {
    result_files::table
        .filter(result_files::job_id.eq(job.0))
        .filter(result_files::n.eq(n))
        .order(result_files::path)
        .load(connection)
}

pub fn find_result(connection: &mut AnyConnection, job: JobId, n: i64, path: &str) -> QueryResult<Option<ResultFile>> {
    result_files::table.find((job.0, n, path)).first(connection).optional()
}

/// Notes how much of a task's log and results is here. Readers' entity tags leave this out, so the job's revision stays.
pub fn save_mirrored(connection: &mut AnyConnection, task: &Task) -> QueryResult<()> {
    let kept = (
        tasks::log_size.eq(task.log_size),
        tasks::log_complete.eq(task.log_complete),
        tasks::results_complete.eq(task.results_complete),
    );
    let save = Prepared(diesel::update(tasks::table.find((task.job_id.0, task.n))).set(kept));
    on_own!(connection, |own| save.execute(own)).map(drop)
}
