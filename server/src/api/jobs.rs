//! One job: shown, waited for, and told whether it has changed.

use super::bodies::{Shown, Surroundings};
use super::conditional::Conditional;
use super::estimate::estimate;
use super::history::last_passed;
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Path, Query, given};
use crate::kept::Body;
use crate::state::AppState;
use crate::store::jobs::WholeJob;
use crate::store::listing::{Head, find_head};
use crate::store::{AnyConnection, QueryResult, jobs as store, runs};
use crate::version::{Known, Looked, Version};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use protocol::api::{ErrorCode, Job, LastPassed, MAX_WAIT_S};
use protocol::{JobId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// When somebody may come again who can't wait because too many do.
const COME_AGAIN: Duration = Duration::from_secs(5);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindQuery {
    /// Seconds.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 60))]
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
    let known = Known::of(&headers);
    let mut place = None;
    loop {
        let looked = look(&state, id, &known).await?;
        let version = &looked.version;
        if let Some(json) = &looked.json {
            return Ok(version.with_json(json.clone()));
        }
        if Instant::now() >= until || state.shutdown.is_cancelled() {
            return Ok(version.unchanged());
        }
        let place = match &mut place {
            Some(place) => place,
            none => {
                none.insert(state.waiters.begin(&state, user.id(), id, version.content()).ok_or_else(too_many_wait)?)
            }
        };
        tokio::select! {
            biased;
            // Whoever is signed out meanwhile learns nothing more.
            gone = state.auth.until_gone(&user) => return Err(gone),
            () = place.changed() => {}
            () = sleep_until(until) => {}
            () = state.shutdown.cancelled() => {}
        }
    }
}

fn too_many_wait() -> ApiError {
    let told = "too many are waiting for jobs already; ask without waiting, or come again";
    ApiError::new(ErrorCode::Unavailable, told).retry_after(COME_AGAIN)
}

/// What one look into the store has found.
enum Found {
    Head,
    Kept(Bytes),
    Whole(Box<Whole>),
}

/// All rows that a job's body is made of.
struct Whole {
    job: WholeJob,
    passed_before: PassedBefore,
}

/// By a task's number, where its scenario had passed last.
type PassedBefore = Vec<(i64, Option<LastPassed>)>;

/// The job's version, and its body unless the client has it.
async fn look(state: &AppState, id: JobId, known: &Known) -> ApiResult<Arc<Looked>> {
    let (asking, has) = (state.clone(), known.clone());
    let question = move || look_once(asking.clone(), id, has.clone());
    let bytes = |looked: &Arc<Looked>| looked.bytes() + known.bytes();
    state.job_looks.ask(&state.store, (id, known.clone()), question, bytes).await
}

/// One look decides; the job's tasks are read only where the body is wanted and none of this version is kept. The poller
/// learns that somebody is looking.
async fn look_once(state: AppState, id: JobId, known: Known) -> ApiResult<Arc<Looked>> {
    let reader = state.clone();
    let found = state.store.read(move |connection| {
        let Some(head) = find_head(connection, id)? else { return Ok(None) };
        let version = version_of(&head, &reader);
        if known.has(&version) {
            return Ok(Some((head, version, Found::Head)));
        }
        if let Some(json) = reader.kept.find(Body::Whole, id, version.content(), version.synced_at()) {
            return Ok(Some((head, version, Found::Kept(json))));
        }
        let Some(whole) = find_whole(connection, id)? else { return Ok(None) };
        Ok(Some((head, version, Found::Whole(Box::new(whole)))))
    });
    let (head, version, found) = found.await?.ok_or_else(|| no_such_job(id))?;
    if !head.status.is_terminal() {
        state.look_at(id, &head.environment);
    }
    let looked = match found {
        Found::Head => Looked { version, json: None },
        Found::Kept(json) => Looked { version, json: Some(json) },
        Found::Whole(whole) => {
            // It may be newer than the look before it was.
            let (version, body) = whole_body(&state, *whole, head.round_at).await?;
            let json = serde_json::to_vec(&body).map(Bytes::from).map_err(ApiError::internal)?;
            state.kept.keep(Body::Whole, id, version.content(), version.synced_at(), &json);
            Looked { version, json: Some(json) }
        }
    };
    Ok(Arc::new(looked))
}

pub(super) fn version_of(head: &Head, state: &AppState) -> Version {
    let is_configured = state.environments.contains_key(&head.environment);
    Version::new(&head.version(is_configured), &state.instance, head.synced_at())
}

async fn whole_body(state: &AppState, whole: Whole, round_at: Option<Timestamp>) -> ApiResult<(Version, Job)> {
    let Whole { job: WholeJob { job, username, tasks }, passed_before } = whole;
    let surroundings = Surroundings::of(&job, state, round_at);
    let shown = Shown { job, username, surroundings };
    let version = Version::new(&shown.version(), &state.instance, shown.synced_at());
    let mut body = shown.with_tasks(tasks);
    if !body.summary.status.is_terminal() {
        body.summary.estimate = estimate(state, &body.summary.environment, body.summary.id).await?;
    }
    for (n, passed) in passed_before {
        if let Some(task) = usize::try_from(n - 1).ok().and_then(|at| body.tasks.get_mut(at)) {
            task.last_passed = passed;
        }
    }
    Ok((version, body))
}

/// A job's whole body.
pub(super) async fn shown_job(state: &AppState, id: JobId) -> ApiResult<(Version, Job)> {
    let found = state.store.read(move |connection| {
        let Some(head) = find_head(connection, id)? else { return Ok(None) };
        Ok(find_whole(connection, id)?.map(|whole| (whole, head.round_at)))
    });
    let (whole, round_at) = found.await?.ok_or_else(|| no_such_job(id))?;
    whole_body(state, whole, round_at).await
}

fn find_whole(connection: &mut AnyConnection, id: JobId) -> QueryResult<Option<Whole>> {
    let Some(job) = store::find_whole_job(connection, id)? else { return Ok(None) };
    let passed_before = if job.job.status.is_terminal() { passed_before(connection, id)? } else { Vec::new() };
    Ok(Some(Whole { job, passed_before }))
}

/// Of an ended job's tasks that did not pass: by number, where they had passed last.
fn passed_before(connection: &mut AnyConnection, id: JobId) -> QueryResult<PassedBefore> {
    let unpassed = runs::list_unpassed(connection, id)?;
    unpassed.into_iter().map(|run| Ok((run.n, last_passed(connection, &run)?))).collect()
}

/// A job's row, for those who are about to change it.
pub(super) async fn find_row(state: &AppState, id: JobId) -> ApiResult<store::Job> {
    let found = state.store.read(move |connection| store::find_job(connection, id)).await?;
    found.ok_or_else(|| no_such_job(id))
}

pub(super) fn no_such_job(id: JobId) -> ApiError {
    ApiError::not_found(format!("there is no job {id}"))
}
