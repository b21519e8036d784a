//! Abort and delete: what is wanted is stored and the poller carries it through, however long the remote server is away.
//! An admin may end or remove a job here without the remote server's word.

use super::answers::{Accepted, Removed};
use super::jobs::{find_row, no_such_job, shown_job};
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, NoBody, Path, Query};
use crate::state::AppState;
use crate::store::jobs::Job;
use crate::wishes::RemovalError;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use protocol::api::{self, AuditAction, ErrorCode};
use protocol::{JobId, Timestamp, reason};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// How often a forced end is tried against a poller that keeps saving the same job; a save takes milliseconds.
const FORCE_ATTEMPTS: u32 = 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForceQuery {
    #[serde(default)]
    force: bool,
}

/// Somebody's wish to end or remove a job. Who may not have it hears that before anything that is wrong with the body, and
/// who has nothing to do with the job before anything that is wrong with the query.
pub(super) struct Wish {
    user: CurrentUser,
    job: Job,
    is_forced: bool,
}

impl FromRequestParts<AppState> for Wish {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        let Path(id) = Path::<JobId>::from_request_parts(parts, state).await?;
        let job = find_row(state, id).await?;
        user.require_owner(job.user_id)?;
        let Query(ForceQuery { force }) = Query::from_request_parts(parts, state).await?;
        if force {
            user.require_admin()?;
        }
        Ok(Self { user, job, is_forced: force })
    }
}

pub(super) async fn abort_job(State(state): State<AppState>, wish: Wish, _: NoBody) -> ApiResult<Accepted<api::Job>> {
    let Wish { user, job, is_forced } = wish;
    require_open(&job)?;
    if is_forced {
        force_end(&state, &user, job.id).await?;
    } else {
        request_abort(&state, &user, &job).await?;
    }
    let (_, job) = shown_job(&state, job.id).await?;
    Ok(Accepted(job))
}

fn require_open(job: &Job) -> ApiResult<()> {
    if job.status.is_terminal() {
        return Err(ApiError::new(ErrorCode::JobFinished, format!("job {} has ended as {}", job.id, job.status)));
    }
    Ok(())
}

async fn request_abort(state: &AppState, user: &CurrentUser, job: &Job) -> ApiResult<()> {
    let (id, now) = (job.id, Timestamp::now());
    let audit = user.audit(AuditAction::AbortJob, format!("job:{id}"), &json!({}));
    let why = reason::aborted_by(&user.user.username);
    let wishes = state.wishes();
    let is_done = if state.environments.contains_key(&job.environment) {
        wishes.abort(id, why, audit, now).await?
    } else {
        wishes.abort_unfollowed(id, why, audit, now).await?
    };
    if is_done {
        return Ok(());
    }
    // Asked for before, which is fine, or ended in this very moment, which is not.
    require_open(&find_row(state, id).await?)
}

async fn force_end(state: &AppState, user: &CurrentUser, id: JobId) -> ApiResult<()> {
    for _ in 0..FORCE_ATTEMPTS {
        let before = find_row(state, id).await?;
        require_open(&before)?;
        let audit = user.audit(AuditAction::AbortJob, format!("job:{id}"), &json!({ "force": true }));
        if state.wishes().force_end(before, audit, Timestamp::now()).await? {
            return Ok(());
        }
    }
    Err(ApiError::new(ErrorCode::Unavailable, "the job keeps changing; try again"))
}

pub(super) async fn delete_job(State(state): State<AppState>, wish: Wish, _: NoBody) -> ApiResult<Removed<api::Job>> {
    let Wish { user, job: Job { id, .. }, is_forced } = wish;
    if is_forced {
        return force_removal(&state, &user, id).await;
    }
    let audit = user.audit(AuditAction::DeleteJob, format!("job:{id}"), &json!({}));
    let why = reason::aborted_by(&user.user.username);
    state.wishes().delete(id, why, audit, Timestamp::now()).await.map_err(|error| match error {
        RemovalError::Store(error) => error.into(),
        error @ RemovalError::Files(_) => ApiError::internal(error),
    })?;
    match shown_job(&state, id).await {
        Ok((_, job)) => Ok(Removed::Later(job)),
        // Removed just above, or by the poller since it was asked to.
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Removed::Gone),
        Err(error) => Err(error),
    }
}

async fn force_removal(state: &AppState, user: &CurrentUser, id: JobId) -> ApiResult<Removed<api::Job>> {
    let audit = user.audit(AuditAction::DeleteJob, format!("job:{id}"), &json!({ "force": true }));
    let why = reason::aborted_by(&user.user.username);
    if !state.wishes().force_removal(id, why, audit, Timestamp::now()).await? {
        return Err(no_such_job(id));
    }
    Ok(Removed::Gone)
}
