//! Abort and delete: what is wanted is stored and the poller carries it through, however long the remote server is away.
//! An admin may end or remove a job here without the remote server's word.

use super::answers::{Accepted, Removed};
use super::jobs::{find_row, no_such_job, shown_job};
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Path, Query};
use crate::lifecycle;
use crate::state::AppState;
use crate::store::audit::insert_audit_entry;
use crate::store::jobs::{self as store, Job};
use crate::store::tasks::find_tasks;
use crate::store::tombstones::{NewTombstone, Wanted, insert_tombstone};
use crate::store::{AnyConnection, QueryResult};
use axum::extract::State;
use protocol::api::{self, ErrorCode};
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

pub(super) async fn abort_job(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<JobId>,
    Query(query): Query<ForceQuery>,
) -> ApiResult<Accepted<api::Job>> {
    let job = find_row(&state, id).await?;
    user.require_owner(job.user_id)?;
    require_open(&job)?;
    if query.force {
        user.require_admin()?;
        force_end(&state, &user, id).await?;
    } else {
        request_abort(&state, &user, id).await?;
    }
    let (_, job) = shown_job(&state, id).await?;
    Ok(Accepted(job))
}

fn require_open(job: &Job) -> ApiResult<()> {
    if job.status.is_terminal() {
        return Err(ApiError::new(ErrorCode::JobFinished, format!("job {} has ended as {}", job.id, job.status)));
    }
    Ok(())
}

async fn request_abort(state: &AppState, user: &CurrentUser, id: JobId) -> ApiResult<()> {
    let now = Timestamp::now();
    let reason = reason::aborted_by(&user.user.username);
    let audit = user.audit("job.abort", format!("job:{id}"), &json!({}));
    let write = move |connection: &mut AnyConnection| {
        let is_new = store::request_abort(connection, id, &reason, now)?;
        if is_new {
            insert_audit_entry(connection, audit, now)?;
        }
        Ok(is_new)
    };
    if state.store.write_then(write, ring(state)).await? {
        return Ok(());
    }
    // Asked for before, which is fine, or ended in this very moment, which is not.
    require_open(&find_row(state, id).await?)
}

/// Ends a job here as `error`; what the remote server may still do about it is given up in the background.
async fn force_end(state: &AppState, user: &CurrentUser, id: JobId) -> ApiResult<()> {
    for _ in 0..FORCE_ATTEMPTS {
        let before = find_row(state, id).await?;
        require_open(&before)?;
        let tasks = state.store.read(move |connection| find_tasks(connection, id)).await?;
        let now = Timestamp::now();
        let (after, open_tasks) = lifecycle::force(&before, tasks, now);
        let audit = user.audit("job.abort", format!("job:{id}"), &json!({ "force": true }));
        let write = move |connection: &mut AnyConnection| {
            if !store::save_job(connection, &before, &after, open_tasks)? {
                return Ok(false);
            }
            abandon(connection, &before, Wanted::Abort, now)?;
            insert_audit_entry(connection, audit, now)?;
            Ok(true)
        };
        if state.store.write_then(write, ring(state)).await? {
            return Ok(());
        }
    }
    Err(ApiError::new(ErrorCode::Unavailable, "the job keeps changing; try again"))
}

/// Notes what is still to be done at the remote server for a job that nobody follows here any more.
fn abandon(connection: &mut AnyConnection, job: &Job, wanted: Wanted, now: Timestamp) -> QueryResult<()> {
    if !store::may_be_there(job) {
        return Ok(());
    }
    let tombstone = NewTombstone {
        environment: job.environment.clone(),
        instance: job.instance.clone(),
        remote_queue_id: job.remote_queue_id.clone(),
        wanted,
        look_until: lifecycle::may_arrive_until(job).unwrap_or(now),
    };
    insert_tombstone(connection, tombstone, now)
}

pub(super) async fn delete_job(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<JobId>,
    Query(query): Query<ForceQuery>,
) -> ApiResult<Removed<api::Job>> {
    let job = find_row(&state, id).await?;
    user.require_owner(job.user_id)?;
    if query.force {
        user.require_admin()?;
        return force_removal(&state, &user, id).await;
    }
    let now = Timestamp::now();
    let audit = user.audit("job.delete", format!("job:{id}"), &json!({}));
    let why = reason::aborted_by(&user.user.username);
    let write = move |connection: &mut AnyConnection| {
        if store::request_delete(connection, id, &why, now)? {
            insert_audit_entry(connection, audit, now)?;
        }
        store::find_job(connection, id)
    };
    if let Some((job, _)) = state.store.write_then(write, ring(&state)).await?
        && !store::may_be_there(&job)
    {
        remove_here(&state, id).await?;
    }
    match shown_job(&state, id).await {
        Ok((_, job)) => Ok(Removed::Later(job)),
        // Removed just above, or by the poller since it was asked to.
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Removed::Gone),
        Err(error) => Err(error),
    }
}

/// Removes a job of which nothing is left at the remote server: the files first, because a row without files
/// can be removed again.
async fn remove_here(state: &AppState, id: JobId) -> ApiResult<()> {
    state.logs.remove_job(id).await.map_err(ApiError::internal)?;
    state.store.write_then(move |connection| store::remove_job(connection, id), ring(state)).await?;
    Ok(())
}

async fn force_removal(state: &AppState, user: &CurrentUser, id: JobId) -> ApiResult<Removed<api::Job>> {
    let now = Timestamp::now();
    let audit = user.audit("job.delete", format!("job:{id}"), &json!({ "force": true }));
    let why = reason::aborted_by(&user.user.username);
    let write = move |connection: &mut AnyConnection| {
        // The transaction must start with a write, and the row must be read as it stands when it goes.
        store::request_delete(connection, id, &why, now)?;
        let Some((job, _)) = store::find_job(connection, id)? else {
            return Ok(false);
        };
        store::remove_job(connection, id)?;
        abandon(connection, &job, Wanted::Delete, now)?;
        insert_audit_entry(connection, audit, now)?;
        Ok(true)
    };
    if !state.store.write_then(write, ring(state)).await? {
        return Err(no_such_job(id));
    }
    if let Err(error) = state.logs.remove_job(id).await {
        tracing::error!(job.id = %id, %error, "files of deleted job {id} could not be removed from data_dir");
    }
    Ok(Removed::Gone)
}

/// Tells the poller and those who wait, once it is stored, also when the caller has hung up by then.
fn ring<T>(state: &AppState) -> impl FnOnce(&T) + Send + 'static + use<T> {
    let bell = state.bell.clone();
    move |_| {
        bell.ring_work();
        bell.ring_saved();
    }
}
