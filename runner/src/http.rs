//! The HTTP side of the contract: the table of its calls, and who may make them.
//! What each call does stands in the file of its noun.

mod bodies;
mod changes;
mod connections;
mod error;
mod extract;
mod files;
mod patience;
mod queues;
mod serve_file;

use crate::state::State;
use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::header::{AUTHORIZATION, DATE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
pub use connections::serve;
use error::Refused;
use protocol::remote::{FEATURE_CHANGES, HealthBody};
pub use queues::remove_queue;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// Bytes of a request's body. A queue of 1,000 tasks with the longest names fits several times.
const MAX_BODY: usize = 4 * 1024 * 1024;

pub fn router(state: State) -> Router {
    Router::new()
        .route("/api/queue", post(queues::create_queue))
        .route("/api/status/{id}", get(queues::find_status))
        .route("/api/abort/{id}", post(queues::abort_queue))
        .route("/api/delete/{id}", delete(queues::delete_queue))
        .route("/api/logs/{id}", get(files::find_log))
        .route("/api/results/{id}", get(files::list_results))
        .route("/api/results/{id}/{*path}", get(files::find_result))
        .route("/api/changes", get(changes::list_changes))
        .route("/api/health", get(find_health))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(state.clone(), check_token))
        .layer(from_fn(add_headers))
        .with_state(state)
}

async fn find_health(Shared(state): Shared<State>) -> Result<Json<HealthBody>, Refused> {
    Ok(Json(HealthBody {
        status: "ok".to_owned(),
        name: state.config.name.clone(),
        slots: u32::try_from(state.config.slots.len()).ok(),
        busy: Some(state.busy.load(Ordering::Relaxed)),
        waiting: Some(state.store.count_waiting().await?),
        features: vec![FEATURE_CHANGES.to_owned()],
    }))
}

async fn unknown_path() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "unknown_path", "there is no such call; see the list of calls in the contract")
}

async fn wrong_method() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path is called with another method")
}

async fn check_token(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let Some(token) = &state.config.token else {
        return next.run(request).await;
    };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let offered =
        header.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if offered.is_some_and(|(_, offered)| token.matches(offered.trim())) {
        return next.run(request).await;
    }
    let message = "send this test server's token as Authorization: Bearer";
    let mut response = Refused::new(StatusCode::UNAUTHORIZED, "unauthenticated", message).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // hyper's own stands still after the machine's clock was set back, until that has come there again.
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
        headers.insert(DATE, date);
    }
    response
}
