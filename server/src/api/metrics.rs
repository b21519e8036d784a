//! Figures for Prometheus: requests of this process, jobs and environments as the store knows them.
//! The store is asked at most every `ASKED_EVERY`, however often the figures are read.

use super::answers::Figures;
use crate::error::{ApiError, ApiResult};
use crate::metrics::Metrics;
use crate::state::AppState;
use crate::store::StoreError;
use crate::store::environments::list_environment_status;
use crate::store::listing::{count_due, count_jobs};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use protocol::api::{ErrorCode, Health};
use protocol::{JobStatus, Timestamp};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

/// Counting a million jobs takes a moment; nobody needs the figures of the last second.
const ASKED_EVERY: Duration = Duration::from_secs(10);
const CHALLENGE: &str = "Bearer realm=\"TestArena\"";

pub(super) async fn show_metrics(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<Figures> {
    require_token(&state, &headers)?;
    ask_store(&state).await?;
    let load = state.store.load();
    for (word, calls) in [("reading", load.reading), ("writing", load.writing), ("waiting", load.waiting)] {
        state.metrics.database_calls.with_label_values(&[word]).set(whole(calls));
    }
    state.metrics.waiters.with_label_values::<&str>(&[]).set(whole(state.waiters.count()));
    state.metrics.write().map(Figures).map_err(ApiError::internal)
}

fn require_token(state: &AppState, headers: &HeaderMap) -> ApiResult<()> {
    let Some(token) = &state.config.metrics_token else {
        return Ok(());
    };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, given)| given.trim());
    // Of hashes, so that the time of the comparison tells nothing about the token.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    if given.is_some_and(|given| digest(given) == digest(token.expose())) {
        return Ok(());
    }
    let refusal = ApiError::new(ErrorCode::Unauthenticated, "send the metrics token as a Bearer token");
    Err(refusal.with_challenge(CHALLENGE))
}

/// Sets the figures that only the store knows, unless that was done a moment ago. Those who ask at once ask once.
async fn ask_store(state: &AppState) -> Result<(), StoreError> {
    let mut asked_at = state.metrics.store_asked_at.lock().await;
    if asked_at.is_some_and(|at| at.elapsed() < ASKED_EVERY) {
        return Ok(());
    }
    let now = state.clock.now();
    let found = state.store.read(move |connection| {
        Ok((count_jobs(connection)?, count_due(connection, now)?, list_environment_status(connection)?))
    });
    let (jobs, due, environments) = found.await?;
    let Metrics { jobs: by_status, jobs_by_environment, jobs_due, environment_up, round_age, .. } = &*state.metrics;
    jobs_by_environment.reset();
    for (environment, status, count) in &jobs {
        jobs_by_environment.with_label_values(&[environment.as_str(), status]).set(whole(*count));
    }
    for status in JobStatus::ALL {
        let count: i64 = jobs.iter().filter(|(_, word, _)| word == status.as_str()).map(|(_, _, count)| count).sum();
        by_status.with_label_values(&[status.as_str()]).set(whole(count));
    }
    // Of what has left the configuration nobody hears any more: its last figures would call for help for ever.
    let is_configured = |environment: &str| state.environments.contains_key(environment);
    jobs_due.reset();
    for (environment, count) in due.into_iter().filter(|(environment, _)| is_configured(environment)) {
        jobs_due.with_label_values(&[environment]).set(whole(count));
    }
    let now = Timestamp::now();
    environment_up.reset();
    round_age.reset();
    for status in environments.into_iter().filter(|status| is_configured(&status.environment)) {
        let up = matches!(status.health, Health::Ok | Health::Degraded);
        environment_up.with_label_values(&[&status.environment]).set(f64::from(u8::from(up)));
        if let Some(round_at) = status.round_at {
            round_age.with_label_values(&[&status.environment]).set(now.since(round_at).as_secs_f64());
        }
    }
    *asked_at = Some(Instant::now());
    Ok(())
}

/// Exact up to 2^53, which no count reaches.
#[allow(clippy::cast_precision_loss)]
fn whole(count: impl TryInto<i64>) -> f64 {
    count.try_into().unwrap_or(i64::MAX) as f64
}
