//! Calls that take no query refuse one, as calls with a query refuse names that they do not know: a typo must not pass
//! silently. `CurrentUser` sees to it, for only who may ask learns what is wrong with the question; open calls take `NoQuery`.

use super::{ApiError, ApiResult};
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
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

/// For calls that are open to everybody.
pub struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> ApiResult<Self> {
        refuse_stray_query(parts).map(|()| Self)
    }
}

pub fn refuse_stray_query(parts: &Parts) -> ApiResult<()> {
    let query = parts.uri.query().unwrap_or_default();
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if query.is_empty() || route.is_empty() || WITH_QUERY.iter().any(|end| route.ends_with(end)) {
        return Ok(());
    }
    let name = query.split(['=', '&']).next().unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy();
    Err(ApiError::invalid(&name, "this call has no such parameter"))
}
