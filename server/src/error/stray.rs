//! Calls that take no query refuse one, as calls with a query refuse names that they do not know:
//! a typo must not pass silently.

use super::ApiError;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

/// The calls that have a query, by the end of their route; their own type says which names it has.
const WITH_QUERY: [&str; 11] = [
    "/branches",
    "/scenarios",
    "/scenarios/history",
    "/scenarios/stats",
    "/compare",
    "/jobs",
    "/job/{id}",
    "/abort",
    "/log/lines",
    "/log/search",
    "/audit",
];

pub async fn refuse_stray_query(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if query.is_empty() || route.is_empty() || WITH_QUERY.iter().any(|end| route.ends_with(end)) {
        return next.run(request).await;
    }
    let name = query.split(['=', '&']).next().unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy();
    ApiError::invalid(&name, "this call has no such parameter").into_response()
}
