//! Personal API tokens: which one a request shows, and what it may do.
//! A token is its owner with less power at most; what becomes of the owner holds for the token at once.

use super::memory::LiveToken;
use super::secret::SecretHash;
use super::{Auth, USE_NOTE_LIMIT};
use crate::error::ApiResult;
use crate::store::tokens::{find_live_token, note_use};
use axum::extract::MatchedPath;
use axum::http::Method;
use axum::http::request::Parts;
use protocol::api::TokenScope;
use protocol::{Timestamp, TokenId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A token's use is noted at most so often.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);

impl Auth {
    pub(super) async fn find_token(&self, hash: SecretHash) -> ApiResult<Option<LiveToken>> {
        let memory = &self.0.memory;
        if let Some(token) = memory.token(hash, Instant::now()) {
            return Ok(Some(token));
        }
        let ticket = memory.ticket();
        let (wanted, now) = (hash.to_text(), Timestamp::now());
        let found = self.0.store.read(move |connection| find_live_token(connection, &wanted, now)).await?;
        let Some((token, user)) = found else {
            return Ok(None);
        };
        self.note_token_use(token.id, token.last_used_at, now).await;
        let live = LiveToken { id: token.id, scope: token.scope, user: Arc::new(user) };
        memory.remember_token(hash, live.clone(), ticket, Instant::now());
        Ok(Some(live))
    }

    async fn note_token_use(&self, id: TokenId, last_used_at: Option<Timestamp>, now: Timestamp) {
        let due_before = now.minus(USE_NOTED_EVERY);
        if last_used_at.is_some_and(|at| at > due_before) {
            return;
        }
        let noted = self.0.store.write(move |connection| note_use(connection, id, due_before, now));
        // The token is good, whether or not its use can be noted now: a later request notes it.
        if let Ok(Err(error)) = tokio::time::timeout(USE_NOTE_LIMIT, noted).await {
            tracing::warn!(%error, token.id = %id, "the use of token {id} could not be noted");
        }
    }
}

/// What a token must be good for to make this request. A call that is not listed takes a token that may do everything.
pub(super) fn needed_scope(parts: &Parts) -> TokenScope {
    if reads(&parts.method) {
        return TokenScope::Read;
    }
    match parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str) {
        "/api/validate_branch" => TokenScope::Read,
        "/api/submit_job" | "/api/job/{id}" | "/api/job/{id}/abort" | "/api/job/{id}/rerun" => TokenScope::Submit,
        _ => TokenScope::Admin,
    }
}

pub(super) fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
