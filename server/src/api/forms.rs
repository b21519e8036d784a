//! Signing in and out by plain HTML forms, so that it works before the page has come alive.
//! Same rules as the API's calls; the answer is a way to go on instead of a body.

use super::sessions::open_session;
use crate::auth::{self, Visitor, require_for_cookie};
use crate::error::{ApiError, Form};
use crate::state::AppState;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::api::ErrorCode;
use protocol::names;
use serde::Deserialize;

const HOME: &str = "/";
/// All but RFC 3986's unreserved characters; `/` stays readable, which a query allows.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What is missing is as wrong as what is empty: a browser that sends too little gets the form again.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn sign_in(
    State(state): State<AppState>,
    parts: Parts,
    form: Result<Form<SignInForm>, ApiError>,
) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(error) => return with_cause_of(error, |code| back_to_login(code.as_str(), HOME, "")),
    };
    let next = local_path(&form.next);
    if state.auth.is_cross_site(&parts) {
        return back_to_login(ErrorCode::CrossSite.as_str(), next, "");
    }
    match open_session(&state, &parts, &form.username, &form.password).await {
        Ok(started) => (AppendHeaders([(SET_COOKIE, started.cookie)]), Redirect::to(next)).into_response(),
        Err(error) => with_cause_of(error, |code| back_to_login(code.as_str(), next, &form.username)),
    }
}

pub(super) async fn sign_out(State(state): State<AppState>, parts: Parts) -> Response {
    if state.auth.is_cross_site(&parts) || require_for_cookie(&parts, &state.auth).is_err() {
        return Redirect::to(HOME).into_response();
    }
    let address = Visitor::of(&parts, &state.config.trusted_proxies).address;
    if let Err(error) = state.auth.end_sessions(auth::sessions_of(&parts.headers), address).await {
        // Still signed in, so no word of having left.
        return error.into_response();
    }
    (AppendHeaders([(SET_COOKIE, state.auth.clear_session())]), Redirect::to("/login")).into_response()
}

/// Keeps what the error's own answer would have brought into the log.
pub(super) fn with_cause_of(error: ApiError, answer: impl Fn(ErrorCode) -> Response) -> Response {
    let mut response = answer(error.code());
    response.extensions_mut().extend(error.into_response().extensions().clone());
    response
}

/// The name stays, so that only the password has to be typed again. What can be no name is not repeated: now and then
/// it is a password in the wrong field, and an address ends up in histories.
pub(super) fn back_to_login(error: &str, next: &str, username: &str) -> Response {
    let username = username.to_ascii_lowercase();
    let shown = if names::is_username(&username) {
        format!("&username={}", utf8_percent_encode(&username, IN_QUERY))
    } else {
        String::new()
    };
    let next = if next == HOME { String::new() } else { format!("&next={}", utf8_percent_encode(next, IN_QUERY)) };
    Redirect::to(&format!("/login?error={error}{next}{shown}")).into_response()
}

/// A path of ours; anything that leads elsewhere becomes the dashboard.
pub(super) fn local_path(next: &str) -> &str {
    if names::is_local_path(next) { next } else { HOME }
}
