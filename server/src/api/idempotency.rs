//! The `Idempotency-Key` header: a retry by the same user within a day gets the job that the first attempt made.
//! In this process a retry waits for the first attempt; between replicas the key's unique row decides.

use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult};
use crate::state::AppState;
use crate::store::AnyConnection;
use crate::store::audit::{AuditEntry, insert_audit_entry};
use crate::store::idempotency::{
    KeyUse, bring_back_keys, find_key_use, forget_old_keys, has_keys_ahead, insert_key_use,
};
use crate::store::jobs::{Job, NewJob, find_job, insert_job_after};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::api::{AuditAction, ErrorCode};
use protocol::{JobId, Timestamp, UserId};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::future::Future;
use std::time::Duration;

const HEADER: &str = "idempotency-key";
const MAX_CHARS: usize = 255;
/// How long a retry waits for an attempt that is under way; no attempt takes longer.
const PATIENCE: Duration = Duration::from_secs(45);
/// A script retries one call at a time; this many are a mistake.
const MOST_WITH_A_KEY: usize = 20;

/// The header's value, if it is there.
pub(super) struct IdempotencyKey(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> ApiResult<Self> {
        let mut keys = parts.headers.get_all(HEADER).iter();
        let (value, more) = (keys.next(), keys.next());
        let Some(value) = value else {
            return Ok(Self(None));
        };
        if more.is_some() {
            return Err(ApiError::invalid("Idempotency-Key", "is there twice, and which is meant can't be known"));
        }
        let is_plain =
            |key: &&str| (1..=MAX_CHARS).contains(&key.len()) && key.bytes().all(|b| (b' '..=b'~').contains(&b));
        let key = value.to_str().ok().filter(is_plain);
        let wrong = || ApiError::invalid("Idempotency-Key", format!("1 to {MAX_CHARS} plain ASCII characters"));
        key.map(|key| Self(Some(key.to_owned()))).ok_or_else(wrong)
    }
}

/// Of what was asked for, however its JSON was laid out.
pub(super) fn request_hash(call: &str, request: &impl Serialize) -> String {
    let mut digest = Sha256::new();
    digest.update(call);
    // These bodies are plain structs, which always become JSON.
    digest.update(serde_json::to_vec(request).unwrap_or_default());
    URL_SAFE_NO_PAD.encode(digest.finalize())
}

pub(super) enum Made {
    /// As it was stored, with its scenarios in their order.
    New(Box<Job>, Vec<String>),
    Before(JobId),
}

/// A key, and the hash of what it is used for.
pub(super) type Use = (String, String);

/// Stores the job that `check` comes to, unless the key has made one before.
pub(super) async fn create_once(
    state: &AppState,
    user: &CurrentUser,
    key: Option<Use>,
    check: impl Future<Output = ApiResult<NewJob>>,
) -> ApiResult<Made> {
    let Some((key, request_hash)) = key else {
        return Ok(store(state, user, check.await?, None).await?);
    };
    let name = (user.id(), key.clone());
    if state.keys_in_use.crowd(&name) >= MOST_WITH_A_KEY {
        return Err(still_worked_on());
    }
    let waiting = state.keys_in_use.wait_for(name);
    let mut turn = tokio::time::timeout(PATIENCE, waiting).await.map_err(|_| still_worked_on())?;
    if let Some(id) = find_made(state, user.id(), &key, &request_hash).await? {
        return Ok(Made::Before(id));
    }
    if let Some(failure) = turn.take_failure(&request_hash) {
        return Err(failure);
    }
    let made = create(state, user, (key, request_hash.clone()), check).await;
    if let Err(error) = &made {
        turn.share_failure(&request_hash, error);
    }
    made
}

async fn create(
    state: &AppState,
    user: &CurrentUser,
    (key, request_hash): Use,
    check: impl Future<Output = ApiResult<NewJob>>,
) -> ApiResult<Made> {
    let new = check.await?;
    match store(state, user, new, Some((key.clone(), request_hash.clone()))).await {
        Err(StoreFailure::Duplicate) => {
            let made = find_made(state, user.id(), &key, &request_hash).await?;
            made.map(Made::Before).ok_or_else(still_worked_on)
        }
        other => Ok(other?),
    }
}

fn still_worked_on() -> ApiError {
    let told = "this idempotency key is still being worked on; try again";
    ApiError::new(ErrorCode::Unavailable, told)
}

enum StoreFailure {
    Duplicate,
    Other(ApiError),
}

impl From<StoreFailure> for ApiError {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Duplicate => Self::new(ErrorCode::Unavailable, "two jobs were stored at once; try again"),
            StoreFailure::Other(error) => error,
        }
    }
}

/// Stores a job, and the use of its key with it, and wakes the poller, even if the caller has hung up by then.
async fn store(state: &AppState, user: &CurrentUser, new: NewJob, key: Option<Use>) -> Result<Made, StoreFailure> {
    // A key's age goes on evenly where the machine's clock is set between an attempt and its retry.
    let (now, keys_now) = (Timestamp::now(), state.clock.now());
    let (user, bell) = (user.clone(), state.bell.clone());
    let (last, given) = (state.last_job.clone(), state.last_job.clone());
    let write = move |connection: &mut AnyConnection| {
        if key.is_some() {
            forget_old_keys(connection, keys_now)?;
        }
        let job = insert_job_after(connection, last.get(), &new, now)?;
        if let Some((key, request_hash)) = key {
            let key_use = KeyUse { request_hash, job_id: job.id };
            insert_key_use(connection, new.user_id, &key, &key_use, keys_now)?;
        }
        insert_audit_entry(connection, audit(&user, &new, job.id), now)?;
        Ok((job, new.scenarios))
    };
    let ring = move |(job, _): &(Job, Vec<String>)| {
        given.note(job.id);
        tracing::debug!(job.id = %job.id, environment = job.environment, "job {} stored", job.id);
        bell.ring_work();
        bell.ring_saved();
    };
    let (job, scenarios) = state.store.write_then(write, ring).await.map_err(|error| {
        if error.is_duplicate() { StoreFailure::Duplicate } else { StoreFailure::Other(error.into()) }
    })?;
    Ok(Made::New(Box::new(job), scenarios))
}

fn audit(user: &CurrentUser, new: &NewJob, id: JobId) -> AuditEntry {
    let action = if new.rerun_of.is_some() { AuditAction::RerunJob } else { AuditAction::SubmitJob };
    let mut detail = json!({
        "environment": new.environment, "branch_name": new.branch_name, "commit": new.commit, "scenarios": new.scenarios.len(),
    });
    if let Some(original) = new.rerun_of {
        detail["rerun_of"] = json!(original);
    }
    user.audit(action, format!("job:{id}"), &detail)
}

async fn find_made(state: &AppState, user: UserId, key: &str, request_hash: &str) -> ApiResult<Option<JobId>> {
    let (key, now) = (key.to_owned(), state.clock.now());
    let found = state.store.read(move |connection| {
        let Some(made) = find_key_use(connection, user, &key, now)? else {
            return Ok(None);
        };
        let exists = find_job(connection, made.job_id)?.is_some();
        Ok(Some((made, exists, has_keys_ahead(connection, now)?)))
    });
    let found = found.await?;
    if found.as_ref().is_some_and(|(_, _, is_ahead)| *is_ahead) {
        state.store.write(move |connection| bring_back_keys(connection, now)).await?;
    }
    match found.map(|(made, exists, _)| (made, exists)) {
        None => Ok(None),
        Some((made, _)) if made.request_hash != request_hash => {
            let told = "this idempotency key was used for another request; take a new one";
            Err(ApiError::new(ErrorCode::IdempotencyKeyReused, told))
        }
        Some((made, false)) => Err(ApiError::new(
            ErrorCode::Gone,
            format!("job {}, which this idempotency key made, was deleted", made.job_id),
        )),
        Some((made, true)) => Ok(Some(made.job_id)),
    }
}
