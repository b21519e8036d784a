//! Figures for Prometheus: requests of this process, jobs and environments as the store knows them.

use super::answers::Figures;
use crate::error::{ApiError, ApiResult};
use crate::metrics::Metrics;
use crate::state::AppState;
use crate::store::environments::{EnvironmentStatus, list_environment_status};
use crate::store::listing::count_jobs;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use protocol::api::{ErrorCode, Health};
use protocol::{JobStatus, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Instant;

/// Counts every request by method, route and status; a page asking its own API in the process is not one.
pub async fn count_requests(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = known_method(request.method());
    // The route, not the path: ids would make a series each.
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    state.metrics.count((method, route, response.status().as_u16()), start.elapsed());
    response
}

/// Clients may make up methods, and each would be a series of its own.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

pub(super) async fn show_metrics(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<Figures> {
    require_token(&state, &headers)?;
    let found = state.store.read(|connection| Ok((count_jobs(connection)?, list_environment_status(connection)?)));
    let (jobs, environments) = found.await?;
    let mut text = String::new();
    write_requests(&mut text, &state.metrics);
    write_jobs(&mut text, &jobs);
    write_environments(&mut text, &environments);
    Ok(Figures(text))
}

fn require_token(state: &AppState, headers: &HeaderMap) -> ApiResult<()> {
    let Some(token) = &state.config.metrics_token else {
        return Ok(());
    };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    // Of hashes, so that the time of the comparison tells nothing about the token.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    if given.is_some_and(|given| digest(given) == digest(token.expose())) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::Unauthenticated, "send the metrics token as a Bearer token"))
}

// Writing into a String never fails, hence the dropped results.

fn write_requests(text: &mut String, metrics: &Metrics) {
    let _ = writeln!(text, "# HELP testarena_http_request_duration_seconds Requests and the time they took.");
    let _ = writeln!(text, "# TYPE testarena_http_request_duration_seconds summary");
    for ((method, route, status), sum) in metrics.sums() {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        let _ = writeln!(text, "testarena_http_request_duration_seconds_count{{{labels}}} {}", sum.count);
        let _ = writeln!(text, "testarena_http_request_duration_seconds_sum{{{labels}}} {}", sum.time.as_secs_f64());
    }
}

fn write_jobs(text: &mut String, jobs: &[(String, String, i64)]) {
    let _ = writeln!(text, "# HELP testarena_jobs Jobs in the store.\n# TYPE testarena_jobs gauge");
    for status in JobStatus::ALL {
        let count: i64 = jobs.iter().filter(|(_, word, _)| word == status.as_str()).map(|(_, _, count)| count).sum();
        let _ = writeln!(text, "testarena_jobs{{status=\"{status}\"}} {count}");
    }
}

fn write_environments(text: &mut String, environments: &[EnvironmentStatus]) {
    let now = Timestamp::now();
    let _ = writeln!(text, "# HELP testarena_environment_up Whether the remote server answers.");
    let _ = writeln!(text, "# TYPE testarena_environment_up gauge");
    for environment in environments {
        let up = u8::from(matches!(environment.health, Health::Ok | Health::Degraded));
        let _ = writeln!(text, "testarena_environment_up{{environment=\"{}\"}} {up}", environment.environment);
    }
    let _ = writeln!(
        text,
        "# HELP testarena_environment_round_age_seconds Since all open jobs were last known to be true."
    );
    let _ = writeln!(text, "# TYPE testarena_environment_round_age_seconds gauge");
    for environment in environments {
        let Some(round_at) = environment.round_at else { continue };
        let age = now.since(round_at).as_secs_f64();
        let name = &environment.environment;
        let _ = writeln!(text, "testarena_environment_round_age_seconds{{environment=\"{name}\"}} {age}");
    }
}
