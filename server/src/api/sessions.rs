//! Signing in and out, and who one is.

use crate::auth::{self, CurrentUser, Visitor};
use crate::error::{ApiResult, Json};
use crate::state::AppState;
use crate::store::users::User;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use protocol::Timestamp;
use protocol::api::{self, LoginRequest};
use std::sync::Arc;

pub(super) async fn sign_in(
    State(state): State<AppState>,
    parts: Parts,
    Json(request): Json<LoginRequest>,
) -> ApiResult<impl IntoResponse> {
    let (user, cookie) = open_session(&state, &parts, &request.username, &request.password).await?;
    let body = api::User { last_login_at: Some(Timestamp::now()), ..api::User::from(&*user) };
    Ok(([(SET_COOKIE, cookie)], axum::Json(body)))
}

/// Checks the password and starts a session; the cookie carries it.
pub(super) async fn open_session(
    state: &AppState,
    parts: &Parts,
    username: &str,
    password: &str,
) -> ApiResult<(Arc<User>, String)> {
    let address = Visitor::of(parts, &state.config.trusted_proxies).address;
    let user = state.auth.check_password(username, password, address).await?;
    let cookie = state.auth.start_session(user.id).await?;
    Ok((user, cookie))
}

pub(super) async fn sign_out(
    State(state): State<AppState>,
    _user: CurrentUser,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    if let Some(session) = auth::session_of(&headers) {
        state.auth.end_session(session).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, auth::clearing_cookie())]))
}

pub(super) async fn find_me(user: CurrentUser) -> axum::Json<api::User> {
    axum::Json(api::User::from(&*user.user))
}
