//! The URL table of the JSON API and of the plain forms. No logic here: each noun's handlers are in `api/<noun>.rs`.

mod audit;
mod bodies;
mod conditional;
mod download;
mod environments;
mod forms;
mod health;
mod idempotency;
mod jobs;
mod junit;
mod listing;
mod logs;
mod metrics;
mod removal;
mod results;
mod sessions;
mod submission;
mod tokens;
mod users;

pub use metrics::count_requests;

use crate::state::AppState;
use crate::{auth, error};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, delete, get, patch, post};
use tower_http::set_header::SetResponseHeaderLayer;

/// Largest body of a request: a thousand scenarios of the longest names are a quarter of it.
const MAX_BODY_BYTES: usize = 1_024 * 1_024;

pub fn routes(state: AppState) -> Router {
    let api = Router::new()
        .route("/login", post(sessions::sign_in))
        .route("/logout", post(sessions::sign_out))
        .route("/me", get(sessions::find_me))
        .route("/me/password", post(sessions::change_password))
        .route("/tokens", get(tokens::list_tokens).post(tokens::create_token))
        .route("/tokens/{id}", delete(tokens::delete_token))
        .route("/users", get(users::list_users).post(users::create_user))
        .route("/users/{id}", patch(users::change_user).delete(users::delete_user))
        .route("/audit", get(audit::list_audit))
        .route("/environments", get(environments::list_environments))
        .route("/branches", get(environments::list_branches))
        .route("/validate_branch", post(environments::validate_branch))
        .route("/scenarios", get(environments::list_scenarios))
        .route("/submit_job", post(submission::create_job))
        .route("/jobs", get(listing::list_jobs))
        .route("/job/{id}", get(jobs::find_job).delete(removal::delete_job))
        .route("/job/{id}/abort", post(removal::abort_job))
        .route("/job/{id}/rerun", post(submission::rerun_job))
        .route("/job/{id}/junit.xml", get(junit::read_junit))
        .route("/job/{id}/log", get(logs::read_log))
        .route("/job/{id}/log/lines", get(logs::list_lines))
        .route("/job/{id}/log/search", get(logs::search_log))
        .route("/job/{id}/tasks/{task_id}/log", get(logs::read_log))
        .route("/job/{id}/tasks/{task_id}/log/lines", get(logs::list_lines))
        .route("/job/{id}/tasks/{task_id}/log/search", get(logs::search_log))
        .route("/job/{id}/tasks/{task_id}/results", get(results::list_results))
        .route("/job/{id}/tasks/{task_id}/results/{*path}", get(results::read_result))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(state.auth.clone(), auth::refuse_cross_site))
        .layer(from_fn(auth::offer_basic))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")));
    Router::new()
        .nest("/api", api)
        // Nesting leaves out the path that is only the slash.
        .route("/api/", any(error::no_such_path))
        .route("/login", post(forms::sign_in))
        .route("/logout", post(forms::sign_out))
        .route("/healthz", get(health::is_alive))
        .route("/readyz", get(health::is_ready))
        .route("/metrics", get(metrics::show_metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(error::log_cause))
        .with_state(state)
}
