//! TestArena: the JSON API, the job store, the poller and the site.
//! `build` puts them together; `main` and `cli` only start it.

pub mod api;
pub mod auth;
pub mod bell;
pub mod cli;
pub mod config;
pub mod error;
pub mod housekeeping;
pub mod kept;
pub mod key_locks;
pub mod lifecycle;
pub mod logs;
pub mod metrics;
pub mod poller;
pub mod remote;
pub mod site;
pub mod ssh_watch;
pub mod state;
pub mod store;
pub mod waiters;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::from_fn_with_state;
use site::SiteOptions;
use state::AppState;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

/// Everything that answers requests, with what belongs around it: request ids, counts, log lines, safe headers.
pub fn build(state: AppState) -> Router {
    let api = api::routes(state.clone());
    let site = site::routes(api.clone(), SiteOptions::default());
    api.merge(site)
        .layer(from_fn_with_state(state, api::count_requests))
        .layer(SetResponseHeaderLayer::if_not_present(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        // Never `no-referrer`, which would make our own forms say `Origin: null`.
        .layer(SetResponseHeaderLayer::if_not_present(REFERRER_POLICY, HeaderValue::from_static("same-origin")))
        .layer(PropagateRequestIdLayer::x_request_id())
        // A failure's cause is logged where it is known, once.
        .layer(TraceLayer::new_for_http().make_span_with(request_span).on_failure(()))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// The path without its query, which may hold what somebody searched for.
fn request_span(request: &Request) -> Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), request.id = id)
}
