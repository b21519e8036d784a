//! The URL table of the JSON API and of the plain forms. No logic here: each noun's handlers are in `api/<noun>.rs`.
//! How a new route comes into the OpenAPI document is told in `docs/architecture.md`.

mod answers;
mod audit;
mod bodies;
mod compare;
mod conditional;
mod cursor;
mod docs;
mod download;
mod environments;
mod estimate;
mod forms;
mod guard;
mod health;
mod history;
mod idempotency;
mod jobs;
mod junit;
mod listing;
mod logs;
mod metrics;
mod openapi;
mod questions;
mod removal;
mod results;
mod sessions;
mod single_sign_on;
mod submission;
mod tokens;
mod users;

use crate::state::AppState;
use crate::{around, auth, error};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{self, any};
use openapi::{delete, get, patch, post};
use protocol::api::SINGLE_SIGN_ON_PATH;

pub fn routes(state: AppState) -> Router {
    let mut documented = openapi::Collected::default();
    let api = openapi::router()
        .api_route("/login", post(sessions::sign_in))
        .api_route("/login/options", get(single_sign_on::show_login_options))
        .api_route("/logout", post(sessions::sign_out))
        .api_route("/me", get(sessions::find_me))
        .api_route("/me/password", post(sessions::change_password))
        .api_route("/tokens", get(tokens::list_tokens))
        .api_route("/tokens", post(tokens::create_token))
        .api_route("/tokens/{id}", delete(tokens::delete_token))
        .api_route("/users", get(users::list_users))
        .api_route("/users", post(users::create_user))
        .api_route("/users/{id}", patch(users::change_user))
        .api_route("/users/{id}", delete(users::delete_user))
        .api_route("/audit", get(audit::list_audit))
        .api_route("/environments", get(environments::list_environments))
        .api_route("/environments/{name}/check", post(environments::check_environment))
        .api_route("/branches", get(environments::list_branches))
        .api_route("/validate_branch", post(environments::validate_branch))
        .api_route("/scenarios", get(environments::list_scenarios))
        .api_route("/scenarios/history", get(history::list_history))
        .api_route("/scenarios/stats", get(history::list_stats))
        .api_route("/compare", get(compare::compare_jobs))
        .api_route("/submit_job", post(submission::create_job))
        .api_route("/jobs", get(listing::list_jobs))
        .api_route("/job/{id}", get(jobs::find_job))
        .api_route("/job/{id}", delete(removal::delete_job))
        .api_route("/job/{id}/abort", post(removal::abort_job))
        .api_route("/job/{id}/rerun", post(submission::rerun_job))
        .api_route("/job/{id}/junit.xml", get(junit::read_junit))
        .api_route("/job/{id}/log", get(logs::read_log))
        .api_route("/job/{id}/log/lines", get(logs::list_lines))
        .api_route("/job/{id}/log/search", get(logs::search_log))
        .api_route("/job/{id}/tasks/{task_id}/log", get(logs::read_log))
        .api_route("/job/{id}/tasks/{task_id}/log/lines", get(logs::list_lines))
        .api_route("/job/{id}/tasks/{task_id}/log/search", get(logs::search_log))
        .api_route("/job/{id}/tasks/{task_id}/results", get(results::list_results))
        .api_route("/job/{id}/tasks/{task_id}/results/{*path}", get(results::read_result))
        .api_route("/openapi.json", get(openapi::show_openapi))
        .api_route("/docs", get(docs::show_docs));
    let api = documented
        .finish(api, "/api")
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(state.auth.clone(), guard::guard));
    let watched = openapi::router()
        .api_route("/healthz", get(health::is_alive))
        .api_route("/readyz", get(health::is_ready))
        .api_route("/metrics", get(metrics::show_metrics));
    let watched = documented.finish(watched, "").method_not_allowed_fallback(error::wrong_method);
    openapi::publish(documented);
    Router::new()
        .nest("/api", api)
        // Nesting leaves out the path that is only the slash.
        .route("/api/", any(error::no_such_path))
        .merge(watched)
        .merge(forms(&state).method_not_allowed_fallback(error::wrong_method))
        .layer(DefaultBodyLimit::max(around::MAX_BODY_BYTES))
        .layer(from_fn(error::log_cause))
        .with_state(state)
}

/// What browsers go to by themselves. Single sign-on only where a provider is configured.
fn forms(state: &AppState) -> Router<AppState> {
    let forms =
        Router::new().route("/login", routing::post(forms::sign_in)).route("/logout", routing::post(forms::sign_out));
    if state.config.oidc.is_none() {
        return forms;
    }
    forms
        .route(SINGLE_SIGN_ON_PATH, routing::get(single_sign_on::begin))
        .route(auth::CALLBACK_PATH, routing::get(single_sign_on::finish))
}
