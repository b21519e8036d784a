//! Passwords: argon2id on blocking threads, a few at a time.
//! What is stored is a PHC string, which carries its own parameters, so that they can be raised later.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, LazyLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

/// KiB, passes and lanes: what OWASP recommends for argon2id, about 20 ms of one core.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// At most so many at once: each takes 19 MiB and a core, and a flood of sign-ins must leave room for everything else.
const PARALLEL: usize = 2;

const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 256;

/// Stands in for the hash of a user who does not exist, so that guessing names by the time taken does not work.
static DECOY: LazyLock<String> = LazyLock::new(|| hash(&rand::random::<u128>().to_string()).unwrap_or_default());

/// What a new password must be like: only long enough.
pub fn check_rules(password: &str) -> Result<(), String> {
    if (MIN_CHARS..=MAX_CHARS).contains(&password.chars().count()) {
        return Ok(());
    }
    Err(format!("a password has {MIN_CHARS} to {MAX_CHARS} characters"))
}

/// Hands out the turns to hash.
#[derive(Clone)]
pub struct Hasher(Arc<Semaphore>);

impl Default for Hasher {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PARALLEL)))
    }
}

/// The right to hash once.
pub struct Turn(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

impl Hasher {
    pub async fn take_turn(&self) -> Turn {
        // The semaphore is never closed.
        Turn(Arc::clone(&self.0).acquire_owned().await.ok())
    }

    /// The string to store for a password.
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let turn = self.take_turn().await;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            hash(&password).map_err(HashError::Argon2)
        })
        .await?
    }
}

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("argon2 failed: {0}")]
    Argon2(Error),
    #[error("hashing was cut off: {0}")]
    Interrupted(#[from] JoinError),
}

impl Turn {
    /// Whether the password is the one behind the stored hash; never without one.
    pub async fn verify(self, password: String, stored: Option<String>) -> Result<bool, JoinError> {
        tokio::task::spawn_blocking(move || {
            let _turn = self;
            let expected = stored.as_deref().unwrap_or(&DECOY);
            matches(&password, expected) && stored.is_some()
        })
        .await
    }
}

fn matches(password: &str, stored: &str) -> bool {
    let parsed = PasswordHash::new(stored);
    // The parameters come from the stored hash.
    parsed.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn hash(password: &str) -> Result<String, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| Error::ParamsInvalid)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon2.hash_password(password.as_bytes())?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_and_nothing_matches_no_user() {
        let hasher = Hasher::default();
        let stored = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        for (password, stored, expected) in [
            ("correct horse", Some(stored.clone()), true),
            ("wrong horse", Some(stored), false),
            ("correct horse", None, false),
            ("correct horse", Some(String::new()), false),
        ] {
            let verdict = hasher.take_turn().await.verify(password.to_owned(), stored).await.unwrap();
            assert_eq!(verdict, expected);
        }
    }

    #[test]
    fn length_counts_in_characters() {
        assert!(check_rules("ääääääää").is_ok() && check_rules(&"ä".repeat(256)).is_ok());
        assert!(check_rules("ääääääa").is_err() && check_rules(&"a".repeat(257)).is_err());
    }
}
