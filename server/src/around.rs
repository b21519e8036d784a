//! What belongs around everything that answers: a request's id, its log line, what may be asked at all, the count, a
//! panic's answer, compression and safe headers. One layer does most of it, since each costs every request.

mod ask;
mod compress;
mod counted;
mod request_id;
mod safe_headers;

pub use ask::MAX_BODY_BYTES;

use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::state::AppState;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, DATE, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use counted::Counted;
use futures_util::FutureExt;
use protocol::Timestamp;
use protocol::api::{NOW_HEADER, PAGE_HEADER};
use request_id::{ID_HEADER, MakeId};
use safe_headers::SafeHeaders;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::SystemTime;
use tower::ServiceBuilder;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;

#[derive(Clone)]
struct Around {
    metrics: Arc<Metrics>,
    safe: Arc<SafeHeaders>,
}

/// Puts it around the routes; the first of these layers is the outermost.
pub fn wrap(routes: Router, state: &AppState) -> Router {
    let safe = Arc::new(SafeHeaders::new(&state.config.public_url));
    let around = Around { metrics: Arc::clone(&state.metrics), safe };
    routes.layer(
        ServiceBuilder::new()
            .map_request(request_id::drop_unless_plain)
            .layer(SetRequestIdLayer::new(ID_HEADER, MakeId::default()))
            // A failure's cause is logged where it is known, once.
            .layer(TraceLayer::new_for_http().make_span_with(request_span).on_failure(()))
            .layer(PropagateRequestIdLayer::new(ID_HEADER))
            .layer(from_fn_with_state(around, attend)),
    )
}

/// The path without its query, which may hold what somebody searched for.
fn request_span<B>(request: &axum::http::Request<B>) -> Span {
    let id = request.headers().get(ID_HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), request.id = id)
}

async fn attend(State(around): State<Around>, request: Request, next: Next) -> Response {
    let counted = Counted::begin(&request);
    let wanted = compress::wanted(&request);
    let is_of_the_page = request.headers().contains_key(PAGE_HEADER);
    let response = match ask::take(request).await {
        Ok(request) => unless_it_panics(next.run(request)).await,
        // No route is asked that would say it.
        Err(refusal) => ([(CACHE_CONTROL, "no-store")], refusal).into_response(),
    };
    counted.end(&around.metrics, &response);
    let mut response = compress::compress(response, wanted).await;
    around.safe.put_on(response.headers_mut());
    // hyper's own stands still after the machine's clock was set back, until that has come there again.
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
        response.headers_mut().insert(DATE, date);
    }
    if is_of_the_page {
        response.headers_mut().insert(NOW_HEADER, Timestamp::now().0.into());
    }
    response
}

/// A panic is logged where it happens, within the request's span, and ends nothing but its own request.
async fn unless_it_panics(answer: impl Future<Output = Response>) -> Response {
    let answered = AssertUnwindSafe(answer).catch_unwind().await;
    answered.unwrap_or_else(|_| ApiError::internal(HandlerPanicked).into_response())
}

#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct HandlerPanicked;
