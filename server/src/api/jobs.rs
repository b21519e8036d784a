//! One job: shown, waited for, and told whether it has changed.

use super::bodies::{Shown, Surroundings};
use super::conditional::{Conditional, Version};
use super::estimate::estimate;
use super::history::last_passed;
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Path, Query};
use crate::state::AppState;
use crate::store::environments::list_environment_status;
use crate::store::{AnyConnection, QueryResult, jobs as store, runs};
use axum::extract::State;
use axum::http::HeaderMap;
use protocol::JobId;
use protocol::api::{Job, LastPassed, MAX_WAIT_S};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// How often a waiter looks into the store for what another replica has saved, which rings no bell here.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindQuery {
    /// Seconds.
    wait: Option<u64>,
}

pub(super) async fn find_job(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<JobId>,
    Query(query): Query<FindQuery>,
    headers: HeaderMap,
) -> ApiResult<Conditional<Job>> {
    let wait = query.wait.unwrap_or(0);
    if wait > MAX_WAIT_S {
        return Err(ApiError::invalid("wait", format!("at most {MAX_WAIT_S} seconds")));
    }
    let until = Instant::now() + Duration::from_secs(wait);
    tokio::select! {
        answer = wait_for_change(&state, id, &headers, until) => answer,
        // Whoever is signed out meanwhile learns nothing more.
        gone = state.auth.until_gone(&user) => Err(gone),
    }
}

async fn wait_for_change(
    state: &AppState,
    id: JobId,
    headers: &HeaderMap,
    until: Instant,
) -> ApiResult<Conditional<Job>> {
    let mut saved = state.bell.listen_for_saved();
    loop {
        let version = version_of_looked_at(state, id).await?;
        if !version.is_known_to(headers) {
            let (version, job) = shown_job(state, id).await?;
            return Ok(version.with_body(job));
        }
        let is_over = Instant::now() >= until || state.shutdown.is_cancelled();
        if is_over {
            return Ok(version.unchanged());
        }
        tokio::select! {
            _ = saved.changed() => {}
            () = tokio::time::sleep_until(until.min(Instant::now() + LOOK_INTERVAL)) => {}
            () = state.shutdown.cancelled() => {}
        }
    }
}

/// What stands in the conditional headers, read without the job's tasks. The poller learns that somebody is looking.
async fn version_of_looked_at(state: &AppState, id: JobId) -> ApiResult<Version> {
    let found = state.store.read(move |connection| {
        let statuses = list_environment_status(connection)?;
        Ok(store::find_job(connection, id)?.map(|(job, username)| (job, username, statuses)))
    });
    let (job, username, statuses) = found.await?.ok_or_else(|| no_such_job(id))?;
    if !job.status.is_terminal() {
        state.look_at(id, &job.environment);
    }
    let surroundings = Surroundings::of(&job, state, &statuses);
    Ok(version(&Shown { job, username, surroundings }))
}

fn version(shown: &Shown) -> Version {
    Version::new(&shown.version(), shown.synced_at())
}

/// A job's whole body.
pub(super) async fn shown_job(state: &AppState, id: JobId) -> ApiResult<(Version, Job)> {
    let found = state.store.read(move |connection| {
        let statuses = list_environment_status(connection)?;
        let Some(found) = store::find_job_and_tasks(connection, id)? else {
            return Ok(None);
        };
        let passed_before = if found.0.status.is_terminal() { passed_before(connection, id)? } else { Vec::new() };
        Ok(Some((found, passed_before, statuses)))
    });
    let ((job, username, tasks), passed_before, statuses) = found.await?.ok_or_else(|| no_such_job(id))?;
    let surroundings = Surroundings::of(&job, state, &statuses);
    let shown = Shown { job, username, surroundings };
    let (version, mut body) = (version(&shown), shown.with_tasks(tasks));
    if !body.summary.status.is_terminal() {
        body.summary.estimate = estimate(state, &body.summary.environment, id).await?;
    }
    for (n, passed) in passed_before {
        if let Some(task) = usize::try_from(n - 1).ok().and_then(|at| body.tasks.get_mut(at)) {
            task.last_passed = passed;
        }
    }
    Ok((version, body))
}

/// Of an ended job's tasks that did not pass: by number, where they had passed last.
fn passed_before(connection: &mut AnyConnection, id: JobId) -> QueryResult<Vec<(i64, Option<LastPassed>)>> {
    let unpassed = runs::list_unpassed(connection, id)?;
    unpassed.into_iter().map(|run| Ok((run.n, last_passed(connection, &run)?))).collect()
}

/// A job's row, for those who are about to change it.
pub(super) async fn find_row(state: &AppState, id: JobId) -> ApiResult<store::Job> {
    let found = state.store.read(move |connection| store::find_job(connection, id)).await?;
    found.map(|(job, _)| job).ok_or_else(|| no_such_job(id))
}

pub(super) fn no_such_job(id: JobId) -> ApiError {
    ApiError::not_found(format!("there is no job {id}"))
}
