//! What has been checked lately. Users and sessions for at most a second, so that a change made elsewhere holds soon;
//! passwords for some minutes, under a keyed hash over the password and the stored hash, so that a new password ends them.

use crate::store::users::User;
use hmac::{Hmac, KeyInit, Mac};
use protocol::UserId;
use sha2::Sha256;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A sign-out, a changed password or a deleted user on another replica holds after this at the latest.
const USER_LASTS: Duration = Duration::from_secs(1);
/// How long a script with Basic is spared argon2.
const PASSWORD_LASTS: Duration = Duration::from_mins(5);
/// Past so many entries, what is too old is cleared away.
const CLEAR_AT: usize = 1_000;

pub(super) struct Memory {
    /// Of this process alone: what is remembered is worth nothing outside of it.
    key: [u8; 64],
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// Goes up with everything forgotten, so that an answer of the database from before it is not remembered after it.
    ticket: u64,
    users: HashMap<String, (Arc<User>, Instant)>,
    sessions: HashMap<String, (Arc<User>, Instant)>,
    passwords: HashMap<[u8; 32], Instant>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { key: rand::random(), remembered: Mutex::default() }
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take it before asking the database for what is to be remembered.
    pub(super) fn ticket(&self) -> u64 {
        self.lock().ticket
    }

    pub(super) fn user(&self, login: &str, now: Instant) -> Option<Arc<User>> {
        fresh(&self.lock().users, login, now)
    }

    pub(super) fn session(&self, hash: &str, now: Instant) -> Option<Arc<User>> {
        fresh(&self.lock().sessions, hash, now)
    }

    pub(super) fn remember_user(&self, user: User, ticket: u64, now: Instant) -> Arc<User> {
        let user = Arc::new(user);
        let mut remembered = self.lock();
        if remembered.ticket == ticket {
            let login = user.username.clone();
            insert(&mut remembered.users, login, (Arc::clone(&user), now), |(_, at)| now - *at < USER_LASTS);
        }
        user
    }

    pub(super) fn remember_session(&self, hash: &str, user: User, ticket: u64, now: Instant) -> Arc<User> {
        let user = Arc::new(user);
        let mut remembered = self.lock();
        if remembered.ticket == ticket {
            let entry = (Arc::clone(&user), now);
            insert(&mut remembered.sessions, hash.to_owned(), entry, |(_, at)| now - *at < USER_LASTS);
        }
        user
    }

    pub(super) fn knows_password(&self, user: &User, password: &str, now: Instant) -> bool {
        let mark = self.mark(user, password);
        self.lock().passwords.get(&mark).is_some_and(|at| now - *at < PASSWORD_LASTS)
    }

    pub(super) fn remember_password(&self, user: &User, password: &str, now: Instant) {
        let mark = self.mark(user, password);
        insert(&mut self.lock().passwords, mark, now, |at| now - *at < PASSWORD_LASTS);
    }

    pub(super) fn forget_session(&self, hash: &str) {
        let mut remembered = self.lock();
        remembered.ticket += 1;
        remembered.sessions.remove(hash);
    }

    pub(super) fn forget_user(&self, id: UserId) {
        let mut remembered = self.lock();
        remembered.ticket += 1;
        remembered.users.retain(|_, (user, _)| user.id != id);
        remembered.sessions.retain(|_, (user, _)| user.id != id);
    }

    fn mark(&self, user: &User, password: &str) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.key.into());
        // The stored hash has a fixed alphabet without NUL, so the two can't run into each other.
        mac.update(&user.id.0.to_be_bytes());
        mac.update(user.password_hash.as_bytes());
        mac.update(b"\0");
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn fresh(known: &HashMap<String, (Arc<User>, Instant)>, key: &str, now: Instant) -> Option<Arc<User>> {
    known.get(key).filter(|(_, at)| now - *at < USER_LASTS).map(|(user, _)| Arc::clone(user))
}

fn insert<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V, is_fresh: impl Fn(&V) -> bool) {
    if map.len() >= CLEAR_AT {
        map.retain(|_, old| is_fresh(old));
    }
    map.insert(key, value);
}

#[cfg(test)]
mod tests {
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
        }
    }

    #[test]
    fn a_session_is_remembered_for_less_than_a_second() {
        let (memory, now) = (Memory::default(), Instant::now());
        memory.remember_session("hash", ada("x"), memory.ticket(), now);
        assert!(memory.session("hash", now + Duration::from_millis(999)).is_some());
        assert!(memory.session("hash", now + Duration::from_secs(1)).is_none());
        memory.forget_session("hash");
        assert!(memory.session("hash", now).is_none());
    }

    #[test]
    fn an_answer_from_before_a_change_is_not_remembered_after_it() {
        let (memory, now) = (Memory::default(), Instant::now());
        let ticket = memory.ticket();
        memory.forget_user(UserId(1));
        memory.remember_user(ada("old"), ticket, now);
        assert!(memory.user("ada", now).is_none());
    }

    #[test]
    fn a_new_password_ends_the_memory_of_the_old_one() {
        let (memory, now) = (Memory::default(), Instant::now());
        memory.remember_password(&ada("old hash"), "password", now);
        assert!(memory.knows_password(&ada("old hash"), "password", now));
        assert!(!memory.knows_password(&ada("old hash"), "Password", now));
        assert!(!memory.knows_password(&ada("new hash"), "password", now));
        assert!(!memory.knows_password(&ada("old hash"), "password", now + PASSWORD_LASTS));
    }
}
