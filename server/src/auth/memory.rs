//! What has been checked lately. Users, sessions and tokens for at most a second, so that a change made elsewhere holds
//! soon; passwords for some minutes, under a keyed hash over the password, the stored hash and the address, so that a new
//! password ends them.

use super::recent::Recent;
use super::secret::SecretHash;
use super::sign_in_limits::network;
use crate::store::users::User;
use hmac::{Hmac, KeyInit, Mac};
use protocol::api::TokenScope;
use protocol::{TokenId, UserId};
use sha2::Sha256;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A sign-out, a changed password or a deleted user on another replica holds after this at the latest.
const USER_LASTS: Duration = Duration::from_secs(1);
/// How long a script with Basic is spared argon2.
const PASSWORD_LASTS: Duration = Duration::from_mins(5);
/// Stands in for the stored hash of a user who does not exist, so that the same is done for one.
const NO_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A personal API token that is good, and whose it is.
#[derive(Clone)]
pub(super) struct LiveToken {
    pub(super) id: TokenId,
    pub(super) scope: TokenScope,
    pub(super) user: Arc<User>,
}

/// Who has a name, if anybody.
type Named = Option<Arc<User>>;

/// Under which a password that was right is remembered.
pub(super) type PasswordMark = [u8; 32];

pub(super) struct Memory {
    /// Of this process alone: what is remembered is worth nothing outside of it.
    key: [u8; 64],
    remembered: Mutex<Remembered>,
    /// Rings with everything forgotten.
    forgotten: watch::Sender<()>,
}

struct Remembered {
    /// Goes up with everything forgotten, so that an answer of the database from before it is not remembered after it.
    ticket: u64,
    /// By login; `None`: there is no such user.
    users: Recent<String, Named>,
    sessions: Recent<SecretHash, Arc<User>>,
    tokens: Recent<SecretHash, LiveToken>,
    passwords: Recent<PasswordMark, ()>,
}

impl Memory {
    /// A session's use is noted no finer than a tenth of the time after which an idle one ends, so it is remembered for
    /// no longer than that.
    pub(super) fn new(session_idle: Duration) -> Self {
        let remembered = Remembered {
            ticket: 0,
            users: Recent::new(USER_LASTS),
            sessions: Recent::new(USER_LASTS.min(session_idle / 10)),
            tokens: Recent::new(USER_LASTS),
            passwords: Recent::new(PASSWORD_LASTS),
        };
        Self { key: rand::random(), remembered: Mutex::new(remembered), forgotten: watch::Sender::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take it before asking the database for what is to be remembered.
    pub(super) fn ticket(&self) -> u64 {
        self.lock().ticket
    }

    /// Rings whenever something that was good may be good no more.
    pub(super) fn listen(&self) -> watch::Receiver<()> {
        self.forgotten.subscribe()
    }

    /// `Some(None)`: it is known that there is no such user.
    pub(super) fn user(&self, login: &str, now: Instant) -> Option<Named> {
        self.lock().users.get(login, now)
    }

    pub(super) fn session(&self, hash: SecretHash, now: Instant) -> Option<Arc<User>> {
        self.lock().sessions.get(&hash, now)
    }

    pub(super) fn token(&self, hash: SecretHash, now: Instant) -> Option<LiveToken> {
        self.lock().tokens.get(&hash, now)
    }

    pub(super) fn remember_user(&self, login: String, user: Named, ticket: u64, now: Instant) {
        self.remember(ticket, |remembered| remembered.users.insert(login, user, now));
    }

    pub(super) fn remember_session(&self, hash: SecretHash, user: Arc<User>, ticket: u64, now: Instant) {
        self.remember(ticket, |remembered| remembered.sessions.insert(hash, user, now));
    }

    pub(super) fn remember_token(&self, hash: SecretHash, token: LiveToken, ticket: u64, now: Instant) {
        self.remember(ticket, |remembered| remembered.tokens.insert(hash, token, now));
    }

    fn remember(&self, ticket: u64, insert: impl FnOnce(&mut Remembered)) {
        let mut remembered = self.lock();
        if remembered.ticket == ticket {
            insert(&mut remembered);
        }
    }

    pub(super) fn knows_password(&self, mark: &PasswordMark, now: Instant) -> bool {
        self.lock().passwords.get(mark, now).is_some()
    }

    pub(super) fn remember_password(&self, mark: PasswordMark, now: Instant) {
        self.lock().passwords.insert(mark, (), now);
    }

    pub(super) fn forget_session(&self, hash: SecretHash) {
        self.forget(|remembered| remembered.sessions.remove(&hash));
    }

    pub(super) fn forget_token(&self, id: TokenId) {
        self.forget(|remembered| remembered.tokens.retain(|token| token.id != id));
    }

    /// Also what is known of names that nobody has: the user may have got one of them.
    pub(super) fn forget_user(&self, id: UserId) {
        self.forget(|remembered| {
            remembered.users.retain(|user| user.as_ref().is_some_and(|user| user.id != id));
            remembered.sessions.retain(|user| user.id != id);
            remembered.tokens.retain(|token| token.user.id != id);
        });
    }

    fn forget(&self, forget: impl FnOnce(&mut Remembered)) {
        let mut remembered = self.lock();
        remembered.ticket += 1;
        forget(&mut remembered);
        drop(remembered);
        self.forgotten.send_replace(());
    }

    /// The same work for a user who does not exist. Of one network, so that nobody elsewhere can try passwords faster
    /// than the limits let them while the right one is remembered.
    pub(super) fn mark(&self, user: Option<&User>, password: &str, address: Option<IpAddr>) -> PasswordMark {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.key.into());
        // The stored hash has a fixed alphabet without NUL, so the two can't run into each other.
        mac.update(&user.map_or(0, |user| user.id.0).to_be_bytes());
        mac.update(user.map_or(NO_HASH, |user| user.password_hash.as_str()).as_bytes());
        mac.update(b"\0");
        mac.update(address.map_or(String::new(), |address| network(address).to_string()).as_bytes());
        mac.update(b"\0");
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::new_session_secret;
    use super::*;
    use protocol::Timestamp;

    fn ada(password_hash: &str) -> User {
        User {
            id: UserId(1),
            username: "ada".to_owned(),
            login: Some("ada".to_owned()),
            password_hash: password_hash.to_owned(),
            is_admin: false,
            must_change_password: false,
            created_at: Timestamp(0),
            last_login_at: None,
            deleted_at: None,
            revision: 1,
        }
    }

    fn memory() -> Memory {
        Memory::new(Duration::from_hours(1))
    }

    #[test]
    fn a_session_is_remembered_for_less_than_a_second() {
        let (memory, now, (_, hash)) = (memory(), Instant::now(), new_session_secret());
        memory.remember_session(hash, Arc::new(ada("x")), memory.ticket(), now);
        assert!(memory.session(hash, now + Duration::from_millis(999)).is_some());
        assert!(memory.session(hash, now + Duration::from_secs(1)).is_none());
        memory.forget_session(hash);
        assert!(memory.session(hash, now).is_none());
    }

    #[test]
    fn an_answer_from_before_a_change_is_not_remembered_after_it() {
        let (memory, now) = (memory(), Instant::now());
        let ticket = memory.ticket();
        memory.forget_user(UserId(1));
        memory.remember_user("ada".to_owned(), Some(Arc::new(ada("old"))), ticket, now);
        assert!(memory.user("ada", now).is_none());
    }

    #[test]
    fn a_name_that_nobody_has_is_known_until_somebody_may_have_it() {
        let (memory, now) = (memory(), Instant::now());
        memory.remember_user("ada".to_owned(), None, memory.ticket(), now);
        assert!(memory.user("ada", now).is_some_and(|user| user.is_none()));
        memory.forget_user(UserId(1));
        assert!(memory.user("ada", now).is_none());
    }

    #[test]
    fn a_new_password_ends_the_memory_of_the_old_one() {
        let (memory, now) = (memory(), Instant::now());
        let knows = |hash: &str, password: &str, at: Instant| {
            memory.knows_password(&memory.mark(Some(&ada(hash)), password, None), at)
        };
        memory.remember_password(memory.mark(Some(&ada("old hash")), "password", None), now);
        assert!(knows("old hash", "password", now));
        assert!(!knows("old hash", "Password", now));
        assert!(!knows("new hash", "password", now));
        assert!(!knows("old hash", "password", now + PASSWORD_LASTS));
    }
}
