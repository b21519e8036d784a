//! What a browser carries to the provider and back, so that nobody can end what somebody else has begun.

use super::super::credentials::cookies;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long somebody may take at the provider.
const LASTS_S: u32 = 600;
/// A longer address is not carried along; a browser keeps no cookie beyond 4 KiB.
const MAX_NEXT_BYTES: usize = 1_500;

/// Kept in the browser's cookie alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flow {
    pub(super) state: String,
    pub(super) nonce: String,
    /// The secret behind the PKCE challenge.
    pub(super) verifier: String,
    /// The page that was asked for.
    pub(super) next: String,
}

impl Flow {
    /// The flow that a browser has begun, if its state is the one that the provider sends back.
    pub(super) fn of(headers: &HeaderMap, state: &str, is_secure: bool) -> Option<Self> {
        let found = cookies(headers, name(is_secure)).filter_map(|value| {
            let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
            serde_json::from_slice::<Self>(&bytes).ok()
        });
        // Of hashes, so that the time of the comparison tells nothing.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        found.into_iter().find(|flow| digest(&flow.state) == digest(state))
    }

    pub(super) fn cookie(&self, is_secure: bool) -> String {
        let carried =
            if self.next.len() > MAX_NEXT_BYTES { Self { next: "/".to_owned(), ..self.clone() } } else { self.clone() };
        let value = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&carried).unwrap_or_default());
        cookie(&value, LASTS_S, is_secure)
    }
}

pub(super) fn clearing_cookie(is_secure: bool) -> String {
    cookie("", 0, is_secure)
}

/// A host beside ours can't set a cookie of the first name, which browsers take from the host itself over https alone.
fn name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-testarena_oidc" } else { "testarena_oidc" }
}

fn cookie(value: &str, max_age_s: u32, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    let name = name(is_secure);
    format!("{name}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_s}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::COOKIE;

    #[test]
    fn only_the_browser_that_began_can_end() {
        let flow = |state: &str, next: &str| Flow {
            state: state.to_owned(),
            nonce: "n".to_owned(),
            verifier: "v".to_owned(),
            next: next.to_owned(),
        };
        let begun = flow("mine", "/jobs/42?tab=logs");
        let headers =
            |cookie: &str| HeaderMap::from_iter([(COOKIE, cookie.split(';').next().unwrap().parse().unwrap())]);
        let browser = headers(&begun.cookie(true));
        assert_eq!(Flow::of(&browser, "mine", true), Some(begun.clone()));
        assert_eq!(Flow::of(&browser, "theirs", true), None);
        assert_eq!(Flow::of(&browser, "mine", false), None);
        assert_eq!(Flow::of(&headers("__Host-testarena_oidc=x"), "mine", true), None);
        assert_eq!(Flow::of(&HeaderMap::new(), "mine", true), None);
        let long = flow("mine", &format!("/{}", "a".repeat(5_000))).cookie(true);
        assert_eq!(Flow::of(&headers(&long), "mine", true).unwrap().next, "/");
    }
}
