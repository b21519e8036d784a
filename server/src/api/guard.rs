//! What stands before and behind every handler of the API. One layer for all of it, since each costs every request.

use super::conditional;
use crate::auth::{self, Auth};
use crate::error::ApiResult;
use crate::version::Known;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(super) async fn guard(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    let known = Known::of(request.headers());
    let is_offered_basic = auth::is_offered_basic(request.headers());
    let mut response = match admit(&auth, request) {
        Ok(request) => conditional::send(next.run(request).await, &known),
        Err(refusal) => refusal.into_response(),
    };
    if is_offered_basic {
        auth::offer_basic(&mut response);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(NO_STORE);
    response
}

fn admit(auth: &Auth, request: Request) -> ApiResult<Request> {
    let (parts, body) = request.into_parts();
    auth.refuse_cross_site(&parts)?;
    Ok(Request::from_parts(parts, body))
}
