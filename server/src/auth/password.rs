//! Passwords: argon2id on blocking threads, a few at a time.
//! What is stored is a PHC string, which carries its own parameters, so that they can be raised later.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use icu_normalizer::ComposingNormalizerBorrowed;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

/// KiB, passes and lanes: what OWASP recommends for argon2id, about 20 ms of one core.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// At most so many at once: each takes 19 MiB and a core, and a flood of sign-ins must leave room for everything else.
const PARALLEL: usize = 2;

/// At most so many wait for their turn, a second or two; more would only wait for an answer that comes too late.
const WAITING: usize = 100;
/// Until when most of those who wait have had their turn.
const COME_AGAIN: Duration = Duration::from_secs(2);

const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 256;
/// What is longer is not even composed: no character is made of more than 16 bytes.
const MAX_BYTES: usize = MAX_CHARS * 16;

/// Stands in for the hash of a user who does not exist, so that guessing names by the time taken does not work.
static DECOY: LazyLock<String> = LazyLock::new(|| hash(&rand::random::<u128>().to_string()).unwrap_or_default());

/// What a new password must be like: only long enough.
pub fn check_rules(password: &str) -> Result<(), String> {
    if !is_too_long(password) && composed(password).chars().nth(MIN_CHARS - 1).is_some() {
        return Ok(());
    }
    Err(format!("a password has {MIN_CHARS} to {MAX_CHARS} characters"))
}

/// Whether no password can be as long as that: not worth hashing.
pub(super) fn is_too_long(password: &str) -> bool {
    password.len() > MAX_BYTES || composed(password).chars().nth(MAX_CHARS).is_some()
}

/// One keyboard sends "ä" as one character and another as two; it is the same password (NFC, as RFC 8265 asks for).
fn composed(password: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(password)
}

/// Hands out the turns to hash.
#[derive(Clone)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(PARALLEL)), places: Arc::new(Semaphore::new(PARALLEL + WAITING)) }
    }
}

/// The right to hash once, and the place among those who wait for it.
pub struct Turn(#[expect(dead_code, reason = "held, not read")] [OwnedSemaphorePermit; 2]);

impl Hasher {
    /// Waits for a turn, unless too many do already.
    pub async fn take_turn(&self) -> Result<Turn, HashError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| HashError::TooMany(COME_AGAIN))?;
        // The semaphore is never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| HashError::TooMany(COME_AGAIN))?;
        Ok(Turn([turn, place]))
    }

    /// The string to store for a password.
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let turn = self.take_turn().await?;
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
    #[error("too many sign-ins are under way")]
    TooMany(Duration),
    #[error("argon2 failed: {0}")]
    Argon2(Error),
    #[error("hashing was cut off: {0}")]
    Interrupted(#[from] JoinError),
}

/// What came of comparing a password with a stored hash.
pub struct Verdict {
    pub is_right: bool,
    /// The right password under today's parameters, where the stored hash has weaker ones.
    pub stronger_hash: Option<String>,
}

impl Turn {
    /// Whether the password is the one behind the stored hash; never without one.
    pub async fn verify(self, password: String, stored: Option<String>) -> Result<Verdict, JoinError> {
        tokio::task::spawn_blocking(move || {
            let _turn = self;
            let expected = stored.as_deref().unwrap_or(&DECOY);
            let is_right = matches(&password, expected) && stored.is_some();
            let stronger_hash = if is_right && is_weak(expected) { hash(&password).ok() } else { None };
            Verdict { is_right, stronger_hash }
        })
        .await
    }
}

/// Whether a hash was made with less than today's parameters.
fn is_weak(stored: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(stored) else {
        return false;
    };
    let is_other = parsed.algorithm != Algorithm::Argon2id.ident() || parsed.version != Some(Version::V0x13.into());
    let is_less = |params: Params| params.m_cost() < MEMORY_KIB || params.t_cost() < PASSES || params.p_cost() < LANES;
    is_other || Params::try_from(&parsed).is_ok_and(is_less)
}

fn matches(password: &str, stored: &str) -> bool {
    let Ok(hash) = PasswordHash::new(stored) else { return false };
    // The parameters come from the stored hash.
    let is_behind = |password: &str| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    let composed = composed(password);
    // Earlier versions hashed what was typed.
    is_behind(&composed) || composed != password && is_behind(password)
}

fn hash(password: &str) -> Result<String, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| Error::ParamsInvalid)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon2.hash_password(composed(password).as_bytes())?;
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
            let verdict = hasher.take_turn().await.unwrap().verify(password.to_owned(), stored).await.unwrap();
            assert_eq!((verdict.is_right, verdict.stronger_hash), (expected, None));
        }
    }

    #[tokio::test]
    async fn a_hash_with_weaker_parameters_is_made_anew_when_the_password_is_known() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(1_024, 1, 1, None).unwrap());
        let stored: PasswordHash = weak.hash_password(b"correct horse").unwrap();
        let turn = Hasher::default().take_turn().await.unwrap();
        let verdict = turn.verify("correct horse".to_owned(), Some(stored.to_string())).await.unwrap();
        let stronger = verdict.stronger_hash.unwrap();
        assert!(verdict.is_right && matches("correct horse", &stronger) && !is_weak(&stronger), "{stronger}");
    }

    #[test]
    fn a_password_is_the_same_however_its_letters_are_composed() {
        let (composed, decomposed) = ("Gr\u{fc}\u{df}e aus K\u{f6}ln", "Gru\u{308}\u{df}e aus Ko\u{308}ln");
        for (set, typed) in [(composed, decomposed), (decomposed, composed), (decomposed, decomposed)] {
            assert!(matches(typed, &hash(set).unwrap()), "{set:?}, {typed:?}");
        }
        let old: PasswordHash = Argon2::default().hash_password(decomposed.as_bytes()).unwrap();
        assert!(matches(decomposed, &old.to_string()), "a hash of an earlier version");
        assert!(!matches("Grusse aus Koln", &hash(composed).unwrap()));
        let long = "a\u{308}".repeat(256);
        assert!(check_rules(&long).is_ok() && !is_too_long(&long));
    }

    #[test]
    fn what_is_too_long_in_bytes_would_be_in_characters() {
        let decomposed = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd();
        for letter in '\u{0}'..=char::MAX {
            let letter = letter.encode_utf8(&mut [0; 4]).to_owned();
            assert!(decomposed.normalize(&letter).len() <= MAX_BYTES / MAX_CHARS, "{letter:?}");
        }
        let longest = "\u{1f82}".repeat(MAX_CHARS);
        let longest = decomposed.normalize(&longest);
        assert!(check_rules(&longest).is_ok() && !is_too_long(&longest));
        assert!(is_too_long(&"a".repeat(MAX_BYTES + 1)));
    }

    #[tokio::test]
    async fn no_more_wait_for_a_turn_than_will_get_one_soon() {
        let hasher = Hasher::default();
        let held = [hasher.take_turn().await.unwrap(), hasher.take_turn().await.unwrap()];
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(hasher.take_turn())).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert!(matches!(hasher.take_turn().await, Err(HashError::TooMany(_))));
        drop(waiting);
        assert!(futures_util::poll!(Box::pin(hasher.take_turn())).is_pending());
        drop(held);
        assert!(hasher.take_turn().await.is_ok());
    }

    #[test]
    fn length_counts_in_characters() {
        assert!(check_rules("ääääääää").is_ok() && check_rules(&"ä".repeat(256)).is_ok());
        assert!(!is_too_long(&"ä".repeat(256)) && is_too_long(&"a".repeat(257)));
        assert!(check_rules("ääääääa").is_err() && check_rules(&"a".repeat(257)).is_err());
    }
}
