//! Single sign-on as the browser sees it: out to the provider, and back to the page that was asked for or to the
//! sign-in page, which says why not.

use super::forms::{back_to_login, local_path};
use crate::auth::{Browser, Failure, ProviderAnswer, Visitor, sessions_of};
use crate::error::NoQuery;
use crate::state::AppState;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use protocol::api::LoginOptions;
use serde::Deserialize;

pub(super) async fn show_login_options(State(state): State<AppState>, _: NoQuery) -> axum::Json<LoginOptions> {
    axum::Json(LoginOptions { single_sign_on: state.auth.single_sign_on() })
}

/// Of a query, or none where it can't be read: whoever comes here is a browser, which can do nothing with a refusal.
type Asked<T> = Result<Query<T>, QueryRejection>;

#[derive(Default, Deserialize)]
pub(super) struct BeginQuery {
    #[serde(default)]
    next: String,
}

pub(super) async fn begin(State(state): State<AppState>, query: Asked<BeginQuery>) -> Response {
    let Query(BeginQuery { next }) = query.unwrap_or_default();
    let next = local_path(&next);
    match state.auth.begin_single_sign_on(next).await {
        Ok((url, cookie)) => (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&url)).into_response(),
        Err(failure) => {
            tracing::warn!(code = failure.code(), cause = ?failure.to_string(), "a single sign-on could not begin");
            back_to_login(failure.code(), next, "")
        }
    }
}

/// Providers add what they like; the rest is not looked at. One that can't be read belongs to no sign-in.
#[derive(Default, Deserialize)]
pub(super) struct CallbackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(super) async fn finish(State(state): State<AppState>, parts: Parts, query: Asked<CallbackQuery>) -> Response {
    let Query(CallbackQuery { state: flow, code, error, iss }) = query.unwrap_or_default();
    let answer = ProviderAnswer { state: flow, code, error, issuer: iss };
    let browser = Browser {
        headers: parts.headers.clone(),
        address: Visitor::of(&parts, &state.config.trusted_proxies).address,
        sessions: sessions_of(&parts.headers),
    };
    let over = state.auth.clear_single_sign_on();
    let (signed_in, next) = state.auth.finish_single_sign_on(answer, browser).await;
    // Once more, since it has been in the browser's hands.
    let next = local_path(next.as_deref().unwrap_or_default());
    match signed_in {
        Ok(started) => {
            let cookies = AppendHeaders([(SET_COOKIE, started.cookie), (SET_COOKIE, over)]);
            (cookies, Redirect::to(next)).into_response()
        }
        Err(failure) => (AppendHeaders([(SET_COOKIE, over)]), refuse(failure, next)).into_response(),
    }
}

fn refuse(failure: Failure, next: &str) -> Response {
    let code = failure.code();
    match failure {
        // Its cause is for the log.
        Failure::Own(error) => super::forms::with_cause_of(error, |code| back_to_login(code.as_str(), next, "")),
        _ => back_to_login(code, next, ""),
    }
}
