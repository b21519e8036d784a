//! Single sign-on as the browser sees it: out to the provider, and back to the page that was asked for or to the
//! sign-in page, which says why not.

use super::forms::{back_to_login, local_path};
use crate::auth::{Browser, Failure, ProviderAnswer, Visitor, sessions_of};
use crate::error::NoQuery;
use crate::state::AppState;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use protocol::api::LoginOptions;
use serde::Deserialize;

pub(super) async fn show_login_options(State(state): State<AppState>, _: NoQuery) -> axum::Json<LoginOptions> {
    axum::Json(LoginOptions { single_sign_on: state.auth.single_sign_on() })
}

#[derive(Deserialize)]
pub(super) struct BeginQuery {
    #[serde(default)]
    next: String,
}

pub(super) async fn begin(State(state): State<AppState>, Query(query): Query<BeginQuery>) -> Response {
    let next = local_path(&query.next);
    match state.auth.begin_single_sign_on(next).await {
        Ok((url, cookie)) => (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&url)).into_response(),
        Err(failure) => {
            tracing::warn!(code = failure.code(), cause = ?failure.to_string(), "a single sign-on could not begin");
            back_to_login(failure.code(), next, "")
        }
    }
}

/// Providers add what they like; the rest is not looked at.
#[derive(Deserialize)]
pub(super) struct CallbackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(super) async fn finish(
    State(state): State<AppState>,
    parts: Parts,
    Query(query): Query<CallbackQuery>,
) -> Response {
    let CallbackQuery { state: flow, code, error, iss } = query;
    let answer = ProviderAnswer { state: flow, code, error, issuer: iss };
    let browser = Browser {
        headers: parts.headers.clone(),
        address: Visitor::of(&parts, &state.config.trusted_proxies).address,
        sessions: sessions_of(&parts.headers),
    };
    let over = state.auth.clear_single_sign_on();
    match state.auth.finish_single_sign_on(answer, browser).await {
        Ok((started, next)) => {
            let cookies = AppendHeaders([(SET_COOKIE, started.cookie), (SET_COOKIE, over)]);
            // Once more, since it has been in the browser's hands.
            (cookies, Redirect::to(local_path(&next))).into_response()
        }
        Err(failure) => (AppendHeaders([(SET_COOKIE, over)]), refuse(failure)).into_response(),
    }
}

fn refuse(failure: Failure) -> Response {
    let code = failure.code();
    match failure {
        // Its cause is for the log.
        Failure::Own(error) => super::forms::with_cause_of(error, |code| back_to_login(code.as_str(), "/", "")),
        _ => back_to_login(code, "/", ""),
    }
}
