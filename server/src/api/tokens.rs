//! Personal API tokens: a user's own, listed, made and deleted. The secret is told once.

use super::answers::Created;
use super::conditional::Listed;
use crate::auth::{CurrentUser, carried_through, new_api_token};
use crate::error::{ApiError, ApiResult, Json, NoBody, Path};
use crate::state::AppState;
use crate::store::audit::insert_audit_entry;
use crate::store::tokens::{self as store, NewToken};
use axum::extract::State;
use axum::response::NoContent;
use protocol::api::{
    AuditAction, CreateTokenRequest, CreatedToken, MAX_TOKEN_DAYS, MAX_TOKEN_NAME_CHARS, Token, TokenScope, Tokens,
};
use protocol::{Timestamp, TokenId};
use serde_json::json;
use std::time::Duration;

/// More than anybody keeps apart; so that nobody fills the database with them.
const MAX_TOKENS: usize = 100;
const DAY: Duration = Duration::from_hours(24);

pub(super) async fn list_tokens(State(state): State<AppState>, user: CurrentUser) -> ApiResult<Listed<Tokens>> {
    let id = user.id();
    let tokens = state.store.read(move |connection| store::list_tokens(connection, id)).await?;
    Ok(Listed(Tokens { tokens: tokens.into_iter().map(Token::from).collect() }))
}

pub(super) async fn create_token(
    State(state): State<AppState>,
    user: CurrentUser,
    Json(request): Json<CreateTokenRequest>,
) -> ApiResult<Created<CreatedToken>> {
    let now = Timestamp::now();
    let (token, hash) = new_api_token();
    let new = NewToken {
        user_id: user.id(),
        name: read_name(&request.name)?,
        token_hash: hash.to_text(),
        scope: request.scope.unwrap_or(TokenScope::Submit),
        expires_at: read_expiry(request.expires_in_days, now)?,
    };
    let detail = json!({ "name": new.name, "scope": new.scope });
    let made = state.store.write(move |connection| {
        let Some(made) = store::insert_token(connection, new, now)? else {
            return Ok(Made::NoOwner);
        };
        if store::list_tokens(connection, made.user_id)?.len() > MAX_TOKENS {
            store::remove_token(connection, made.user_id, made.id)?;
            return Ok(Made::TooMany);
        }
        let audit = user.audit(AuditAction::CreateToken, format!("token:{}", made.id), &detail);
        insert_audit_entry(connection, audit, now)?;
        Ok(Made::Token(made))
    });
    match made.await? {
        Made::Token(made) => Ok(Created { body: CreatedToken { about: Token::from(made), token }, location: None }),
        Made::TooMany => Err(ApiError::invalid("name", format!("you have {MAX_TOKENS} tokens already; delete one"))),
        Made::NoOwner => Err(ApiError::not_found("the user has just been deleted")),
    }
}

enum Made {
    Token(store::Token),
    TooMany,
    NoOwner,
}

pub(super) async fn delete_token(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<TokenId>,
    _: NoBody,
) -> ApiResult<NoContent> {
    let now = Timestamp::now();
    let removed = carried_through(async move {
        let owner = user.id();
        let audit = user.audit(AuditAction::DeleteToken, format!("token:{id}"), &json!({}));
        let removed = state.store.write(move |connection| {
            let is_removed = store::remove_token(connection, owner, id)?;
            if is_removed {
                insert_audit_entry(connection, audit, now)?;
            }
            Ok(is_removed)
        });
        let is_removed = removed.await?;
        state.auth.forget_token(id);
        Ok(is_removed)
    });
    if removed.await? {
        return Ok(NoContent);
    }
    // Somebody else's is not told apart from none.
    Err(ApiError::not_found(format!("you have no token {id}")))
}

fn read_name(name: &str) -> ApiResult<String> {
    let name = name.trim();
    let is_good = (1..=MAX_TOKEN_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_good {
        return Ok(name.to_owned());
    }
    Err(ApiError::invalid("name", format!("1 to {MAX_TOKEN_NAME_CHARS} characters, in one line")))
}

fn read_expiry(days: Option<u32>, now: Timestamp) -> ApiResult<Option<Timestamp>> {
    match days {
        None => Ok(None),
        Some(days) if (1..=MAX_TOKEN_DAYS).contains(&days) => Ok(Some(now.plus(DAY * days))),
        Some(_) => Err(ApiError::invalid("expires_in_days", format!("1 to {MAX_TOKEN_DAYS} days"))),
    }
}

impl From<store::Token> for Token {
    fn from(token: store::Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scope: token.scope,
            expires_at: token.expires_at,
            created_at: token.created_at,
            last_used_at: token.last_used_at,
        }
    }
}
