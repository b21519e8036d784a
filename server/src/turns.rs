//! Work that keeps a core or a disk busy, taken in turns: a few at a time, not all of them one user's, and nobody waits
//! long or in a crowd. Whoever finds no turn is told to come again.

use crate::error::ApiError;
use protocol::UserId;
use protocol::api::ErrorCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// In a sentence: "too many … are under way".
    pub what: &'static str,
    pub at_once: usize,
    pub at_once_of_a_user: usize,
    /// Of one user, at work or waiting.
    pub most_of_a_user: usize,
    /// At work or waiting.
    pub most: usize,
    pub patience: Duration,
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Turns(Arc<Inner>);

struct Inner {
    rules: Rules,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    users: Mutex<HashMap<UserId, User>>,
}

struct User {
    turns: Arc<Semaphore>,
    present: usize,
}

/// Counts a user as present until it is dropped.
struct Presence {
    inner: Arc<Inner>,
    user: UserId,
}

/// May be at work until it is dropped.
pub struct Turn {
    _permits: [OwnedSemaphorePermit; 3],
    _presence: Presence,
}

impl Turns {
    pub fn new(rules: Rules) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (turns, places) = (semaphore(rules.at_once), semaphore(rules.most));
        Self(Arc::new(Inner { rules, turns, places, users: Mutex::default() }))
    }

    /// Waits for a turn, unless too many do already.
    pub async fn take(&self, user: UserId) -> Result<Turn, ApiError> {
        let busy = || {
            let told = format!("too many {} are under way; try again in a moment", self.0.rules.what);
            ApiError::new(ErrorCode::Unavailable, told)
        };
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| busy())?;
        let (presence, of_user) = self.enter(user).ok_or_else(busy)?;
        // A user's own first, so that who waits for that keeps no other from working.
        let both =
            async { Some([of_user.acquire_owned().await.ok()?, self.0.turns.clone().acquire_owned().await.ok()?]) };
        let taken = tokio::time::timeout(self.0.rules.patience, both).await.ok().flatten();
        let [own, turn] = taken.ok_or_else(busy)?;
        Ok(Turn { _permits: [turn, own, place], _presence: presence })
    }

    fn enter(&self, user: UserId) -> Option<(Presence, Arc<Semaphore>)> {
        let mut users = self.0.users();
        let rules = self.0.rules;
        let fresh = || User { turns: Arc::new(Semaphore::new(rules.at_once_of_a_user)), present: 0 };
        let found = users.entry(user).or_insert_with(fresh);
        if found.present >= rules.most_of_a_user {
            return None;
        }
        found.present += 1;
        Some((Presence { inner: Arc::clone(&self.0), user }, Arc::clone(&found.turns)))
    }
}

impl Inner {
    fn users(&self) -> MutexGuard<'_, HashMap<UserId, User>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut users = self.inner.users();
        if let Some(found) = users.get_mut(&self.user) {
            found.present -= 1;
            if found.present == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const RULES: Rules = Rules {
        what: "searches",
        at_once: 2,
        at_once_of_a_user: 1,
        most_of_a_user: 2,
        most: 4,
        patience: Duration::from_secs(5),
    };
    const ADA: UserId = UserId(1);
    const BOB: UserId = UserId(2);
    const EVE: UserId = UserId(3);

    #[tokio::test(start_paused = true)]
    async fn one_user_never_has_all_turns_and_nobody_waits_for_ever() {
        let turns = Turns::new(RULES);
        let first = turns.take(ADA).await.unwrap();
        let mut second = Box::pin(turns.take(ADA));
        assert!((&mut second).now_or_never().is_none(), "it waits for the first");
        let third = turns.take(ADA).now_or_never().expect("it does not even wait");
        assert_eq!(third.err().map(|error| error.code()), Some(ErrorCode::Unavailable));
        let _of_bob = turns.take(BOB).await.unwrap();
        let refused = turns.take(EVE).await.err().expect("both are taken for longer than anybody waits");
        assert_eq!(refused.code(), ErrorCode::Unavailable);
        drop(first);
        drop(second.await.unwrap());
        turns.take(ADA).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_nothing_behind() {
        let turns = Turns::new(RULES);
        let first = turns.take(ADA).await.unwrap();
        let mut second = Box::pin(turns.take(ADA));
        assert!((&mut second).now_or_never().is_none());
        drop(second);
        drop(first);
        assert!(turns.0.users().is_empty());
        assert_eq!((turns.0.turns.available_permits(), turns.0.places.available_permits()), (2, 4));
    }
}
