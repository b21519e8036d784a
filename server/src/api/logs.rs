//! Logs: the queue's own and each task's, as plain text, as a window of lines, and searched.
//! All of it is read from the mirror; no reader costs the remote server anything.

use super::download::{self, Disposition, PlainLog, WantedPart};
use super::jobs::{find_row, no_such_job};
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Path, Query, given};
use crate::logs::{LogId, Match, Matches, Window};
use crate::state::AppState;
use crate::store::jobs::{self, Job};
use crate::store::tasks::{self, Task};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use protocol::api::{ErrorCode, LogLines, LogMatch, LogMatches, LogsState, MAX_LOG_LINES};
use protocol::{JobId, names};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// Lines in a window, or matches of a search, when the request does not say how many.
const DEFAULT_LINES: u64 = 1_000;
/// When to ask again for what was kept and whose file is gone.
const GONE_PAUSE: Duration = Duration::from_mins(1);
/// Longest text to search for, in bytes: more than fits on a line of a screen.
const MAX_QUERY_BYTES: usize = 1_024;

const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Of the queue's own log, or with `task_id` of a task's.
#[derive(Debug, Deserialize)]
pub(super) struct LogPath {
    id: JobId,
    task_id: Option<String>,
}

/// Lines from a number on, or the last ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinesQuery {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    from: Option<u64>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5_000))]
    limit: Option<u64>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5_000))]
    tail: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchQuery {
    q: String,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    from: Option<u64>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5_000))]
    limit: Option<u64>,
}

pub(super) async fn read_log(
    _: CurrentUser,
    State(state): State<AppState>,
    Path(path): Path<LogPath>,
    part: WantedPart,
) -> ApiResult<PlainLog> {
    let log = Log::find(&state, path).await?;
    let stored = state.logs.open(log.job, log.id).await.map_err(ApiError::internal)?;
    log.check_is_here(stored.as_ref().map_or(0, |file| file.size))?;
    let name = download::disposition(Disposition::Inline, &log.file_name)?;
    download::send(stored, part, PLAIN_TEXT, name).await.map(PlainLog)
}

pub(super) async fn list_lines(
    user: CurrentUser,
    State(state): State<AppState>,
    Path(path): Path<LogPath>,
    Query(query): Query<LinesQuery>,
) -> ApiResult<Json<LogLines>> {
    let (from, limit) = (check_from(query.from)?, check_count("limit", query.limit)?);
    if query.tail.is_some() && (query.from.is_some() || query.limit.is_some()) {
        return Err(ApiError::invalid("tail", "ask for the last lines with tail, or for others with from and limit"));
    }
    let tail = query.tail.map(|tail| check_count("tail", Some(tail))).transpose()?;
    let log = Log::find(&state, path).await?;
    if let Some(environment) = &log.open_in {
        state.look_at(log.job, environment);
    }
    let _turn = state.windows.take(user.id()).await?;
    let window = match tail {
        Some(tail) => state.logs.tail(log.job, log.id, tail).await,
        None => state.logs.window(log.job, log.id, from, limit).await,
    };
    let window = window.map_err(ApiError::internal)?;
    log.check_is_here(window.bytes)?;
    Ok(Json(lines_body(window, log.is_complete)))
}

pub(super) async fn search_log(
    user: CurrentUser,
    State(state): State<AppState>,
    Path(path): Path<LogPath>,
    Query(query): Query<SearchQuery>,
) -> ApiResult<Json<LogMatches>> {
    let (from, limit) = (check_from(query.from)?, check_count("limit", query.limit)?);
    check_search(&query.q)?;
    let log = Log::find(&state, path).await?;
    log.check_is_here(state.logs.size(log.job, log.id).await.map_err(ApiError::internal)?)?;
    let _turn = state.searches.take(user.id()).await?;
    let found = state.logs.search(log.job, log.id, &query.q, from, limit).await.map_err(ApiError::internal)?;
    Ok(Json(found.into()))
}

/// A log of a job that exists; the log itself may not have begun.
struct Log {
    job: JobId,
    id: LogId,
    is_complete: bool,
    /// As many bytes have to be here.
    kept: u64,
    /// The environment of a job that has not ended.
    open_in: Option<String>,
    /// What a browser saves it under.
    file_name: String,
}

impl Log {
    async fn find(state: &AppState, path: LogPath) -> ApiResult<Self> {
        match path.task_id {
            Some(task_id) => find_task(state, path.id, task_id).await.map(|(job, task)| Self::of_task(&job, &task)),
            None => find_row(state, path.id).await.map(|job| Self::of_queue(&job)),
        }
    }

    /// A folder that was not restored, or is older, or not mounted must not make a log look empty or shorter.
    fn check_is_here(&self, bytes: u64) -> ApiResult<()> {
        if bytes >= self.kept { Ok(()) } else { Err(is_gone("this log")) }
    }

    fn of_queue(job: &Job) -> Self {
        Self {
            job: job.id,
            id: LogId::Queue,
            is_complete: has_all_logs(job),
            kept: 0,
            open_in: open_in(job),
            file_name: format!("job-{}.log", job.id),
        }
    }

    fn of_task(job: &Job, task: &Task) -> Self {
        Self {
            job: job.id,
            id: LogId::Task(task.n),
            is_complete: task.status.is_terminal() && (task.log_complete || has_all_logs(job)),
            kept: kept_bytes(task),
            open_in: open_in(job),
            file_name: format!("job-{}-{}-{}.log", job.id, task.n, task.scenario.replace('/', "-")),
        }
    }
}

/// Of a job that has nothing of its own at the remote server this is so as soon as it has ended, whatever its tasks' rows
/// say: nobody reads their logs any more.
fn has_all_logs(job: &Job) -> bool {
    job.status.is_terminal() && job.logs_state == LogsState::Complete
}

/// Bytes that were kept of a task's log that is complete; of another one none are promised.
pub(super) fn kept_bytes(task: &Task) -> u64 {
    if task.status.is_terminal() && task.log_complete { task.log_size.unsigned_abs() } else { 0 }
}

/// What was kept is not here, or not all of it: the database knows better than the folder.
pub(super) fn is_gone(what: &str) -> ApiError {
    let detail = format!("{what} was kept, but its file is not in data_dir; is that the folder it was kept in?");
    ApiError::new(ErrorCode::Unavailable, detail).retry_after(GONE_PAUSE)
}

fn open_in(job: &Job) -> Option<String> {
    (!job.status.is_terminal()).then(|| job.environment.clone())
}

/// A task by the wire's id, which must be one of this job's.
pub(super) async fn find_task(state: &AppState, id: JobId, task_id: String) -> ApiResult<(Job, Task)> {
    let no_such_task = ApiError::not_found(format!("job {id} has no task \"{task_id}\""));
    let found = state
        .store
        .read(move |connection| {
            let Some(job) = jobs::find_job(connection, id)? else {
                return Ok(None);
            };
            let task = match number_in(&job, &task_id) {
                Some(n) => tasks::find_task(connection, id, n)?,
                None => None,
            };
            Ok(Some((job, task)))
        })
        .await?;
    let (job, task) = found.ok_or_else(|| no_such_job(id))?;
    Ok((job, task.ok_or(no_such_task)?))
}

fn number_in(job: &Job, task_id: &str) -> Option<i64> {
    let (queue_id, n) = names::split_task_id(task_id)?;
    (queue_id == job.remote_queue_id).then_some(n.into())
}

fn check_from(from: Option<u64>) -> ApiResult<u64> {
    match from {
        Some(0) => Err(ApiError::invalid("from", "lines are numbered from 1")),
        from => Ok(from.unwrap_or(1)),
    }
}

fn check_count(field: &str, count: Option<u64>) -> ApiResult<u64> {
    match count.unwrap_or(DEFAULT_LINES) {
        count @ 1..=MAX_LOG_LINES => Ok(count),
        _ => Err(ApiError::invalid(field, format!("must be 1 to {MAX_LOG_LINES}"))),
    }
}

fn check_search(query: &str) -> ApiResult<()> {
    if query.is_empty() || query.len() > MAX_QUERY_BYTES {
        return Err(ApiError::invalid("q", format!("must have 1 to {MAX_QUERY_BYTES} bytes")));
    }
    if query.contains('\n') {
        return Err(ApiError::invalid("q", "must be one line, because lines are searched one by one"));
    }
    Ok(())
}

fn lines_body(window: Window, complete: bool) -> LogLines {
    let Window { first, lines, total, bytes } = window;
    LogLines { first, lines, total, bytes, complete }
}

impl From<Matches> for LogMatches {
    fn from(found: Matches) -> Self {
        let Matches { matches, total, total_is_partial, next_from } = found;
        let matches = matches.into_iter().map(|Match { line, text }| LogMatch { line, text }).collect();
        Self { matches, total, total_is_partial, next_from }
    }
}
