//! Random secrets: the session's token and personal API tokens. They leave the server once, for their owner;
//! what is stored and remembered is their hash.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::api::TOKEN_PREFIX;
use sha2::{Digest, Sha256};

/// Of 32 bytes in base64url.
const SECRET_CHARS: usize = 43;
/// Of the checksum at a token's end, so that a token cut short or mistyped, or a text that only looks like one, is told
/// apart without the database, also by tools that look for leaked secrets.
const CHECK_CHARS: usize = 6;

/// What the database knows a secret by. No salt and no slow hash: 32 random bytes can't be guessed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// As it stands in the database.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Of what a cookie holds; `None` if no session of ours can have it.
    pub(super) fn of_session(secret: &str) -> Option<Self> {
        is_secret(secret).then(|| Self::of(secret))
    }

    /// Of a personal API token; `None` if it is none.
    pub(super) fn of_token(token: &str) -> Option<Self> {
        let (secret, check) = token.strip_prefix(TOKEN_PREFIX)?.split_at_checked(SECRET_CHARS)?;
        (is_secret(secret) && check == checksum(secret)).then(|| Self::of(token))
    }
}

/// A session's secret and its hash.
pub(super) fn new_session_secret() -> (String, SecretHash) {
    let secret = random_secret();
    let hash = SecretHash::of(&secret);
    (secret, hash)
}

/// A personal API token and its hash.
pub fn new_api_token() -> (String, SecretHash) {
    let secret = random_secret();
    let token = format!("{TOKEN_PREFIX}{secret}{}", checksum(&secret));
    let hash = SecretHash::of(&token);
    (token, hash)
}

/// 32 random bytes, which nobody guesses.
fn random_secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn is_secret(text: &str) -> bool {
    text.len() == SECRET_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn checksum(secret: &str) -> String {
    let mut digest = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("checksum of {TOKEN_PREFIX}{secret}")));
    digest.truncate(CHECK_CHARS);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_and_anything_else_is_none() {
        let (token, hash) = new_api_token();
        assert_eq!(token.len(), 52);
        assert_eq!(SecretHash::of_token(&token), Some(hash));
        let (cut, other) = (&token[..51], token.replace("ta_", "tb_"));
        let mistyped = format!("{}{}", &token[..50], if token.ends_with('A') { "BB" } else { "AA" });
        for bad in ["", "ta_", "ä", cut, other.as_str(), mistyped.as_str(), &format!("{token}x")] {
            assert_eq!(SecretHash::of_token(bad), None, "{bad}");
        }
        assert_ne!(new_api_token().0, token);
    }

    #[test]
    fn only_what_a_session_can_have_is_looked_up() {
        let (secret, hash) = new_session_secret();
        assert_eq!(SecretHash::of_session(&secret), Some(hash));
        for bad in ["", "abc", &secret[1..], &format!("{}%", &secret[1..])] {
            assert_eq!(SecretHash::of_session(bad), None, "{bad}");
        }
    }
}
