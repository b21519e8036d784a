//! Signing in and out, who one is, and one's own password.

use super::answers::{SignedIn, SignedOut};
use crate::auth::{self, CurrentUser, SecretHash, SignIn, Started, Visitor, carried_through, check_rules};
use crate::error::{ApiError, ApiResult, Json, NoBody, NoQuery};
use crate::state::AppState;
use crate::store::audit::insert_audit_entry;
use crate::store::users::{self, NewPassword};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::NoContent;
use protocol::Timestamp;
use protocol::api::{self, AuditAction, ChangePasswordRequest, ErrorCode, LoginRequest, Via};
use serde_json::json;

pub(super) async fn sign_in(
    State(state): State<AppState>,
    parts: Parts,
    _: NoQuery,
    Json(request): Json<LoginRequest>,
) -> ApiResult<SignedIn<api::User>> {
    let Started { user, cookie } = open_session(&state, &parts, &request.username, &request.password).await?;
    Ok(SignedIn { body: api::User::from(&user), cookie })
}

/// Checks the password and starts a session; the cookie carries it.
pub(super) async fn open_session(
    state: &AppState,
    parts: &Parts,
    username: &str,
    password: &str,
) -> ApiResult<Started> {
    let address = Visitor::of(parts, &state.config.trusted_proxies).address;
    let user = state.auth.check_password(username, password, Via::Page, address).await?;
    let replaces = auth::sessions_of(&parts.headers);
    state.auth.start_session(SignIn { user, via: Via::Page, address, replaces }).await
}

pub(super) async fn sign_out(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    _: NoBody,
) -> ApiResult<SignedOut> {
    if user.session().is_some() {
        state.auth.end_sessions(auth::sessions_of(&headers), user.address).await?;
    }
    Ok(SignedOut { cookie: state.auth.clear_session() })
}

pub(super) async fn find_me(user: CurrentUser) -> axum::Json<api::User> {
    axum::Json(api::User::from(&*user.user))
}

/// The user's other sessions end; tokens stay, since they are not made from the password.
pub(super) async fn change_password(
    State(state): State<AppState>,
    user: CurrentUser,
    Json(request): Json<ChangePasswordRequest>,
) -> ApiResult<NoContent> {
    let ChangePasswordRequest { current_password, new_password } = request;
    check_rules(&new_password).map_err(|why| ApiError::invalid("new_password", why))?;
    if user.user.must_change_password && new_password == current_password {
        return Err(ApiError::invalid("new_password", "must differ from the one that an administrator has set"));
    }
    if !state.auth.check_own_password(&user, &current_password).await? {
        return Err(wrong_password());
    }
    let hash = state.auth.hasher().hash(new_password).await?;
    let now = Timestamp::now();
    let audit = user.audit(AuditAction::ChangePassword, format!("user:{}", user.id()), &json!({}));
    let is_changed = carried_through(async move {
        let id = user.id();
        let new = NewPassword { hash, must_change: false, kept_session: user.session().map(SecretHash::to_text) };
        let changed = state.store.write(move |connection| {
            let is_changed = users::set_password(connection, id, new)?;
            if is_changed {
                insert_audit_entry(connection, audit, now)?;
            }
            Ok(is_changed)
        });
        let is_changed = changed.await?;
        state.auth.forget_user(id);
        Ok(is_changed)
    });
    if is_changed.await? { Ok(NoContent) } else { Err(wrong_password()) }
}

fn wrong_password() -> ApiError {
    let told = "the current password is wrong";
    ApiError::new(ErrorCode::WrongPassword, told).with_field("current_password", told)
}
