//! The session's token and its cookie. The token leaves the server in the cookie alone; only its hash is stored.

use super::credentials::Credentials;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::api::SESSION_COOKIE;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A token of 32 random bytes, which nobody guesses, and its hash.
pub(super) fn new_token() -> (String, String) {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = session_hash(&token);
    (token, hash)
}

/// What the database knows a token by. No salt and no slow hash: a random token can't be guessed from it.
pub fn session_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

/// The hash of the session that a request's cookie names.
pub fn session_of(headers: &HeaderMap) -> Option<String> {
    match Credentials::of(headers) {
        Credentials::Session(token) => Some(session_hash(&token)),
        _ => None,
    }
}

pub(super) fn cookie(token: &str, lifetime: Duration, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    let max_age = lifetime.as_secs();
    format!("{SESSION_COOKIE}={token}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age}{secure}")
}

/// Takes the cookie out of the browser.
pub fn clearing_cookie() -> String {
    format!("{SESSION_COOKIE}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0")
}
