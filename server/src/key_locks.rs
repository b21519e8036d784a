//! Requests with the same idempotency key take turns in this process, so that a retry waits for the first attempt.
//! Between replicas the key's unique row in the store decides.

use crate::error::ApiError;
use protocol::UserId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// A user's own key: two users may choose the same.
pub type Key = (UserId, String);
type Locks = HashMap<Key, Arc<Slot>>;

#[derive(Default)]
struct Slot {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Who holds the turn or waits for it.
    present: AtomicUsize,
    failed: Mutex<Failed>,
}

/// How many attempts have failed while somebody else was waiting, and how the last of them did.
#[derive(Default)]
struct Failed {
    count: u64,
    last: Option<Failure>,
}

/// What was asked for, as its hash, and why it was refused.
type Failure = (String, ApiError);

impl Slot {
    fn failed(&self) -> MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One lock per key in use. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct KeyedLocks(Arc<Mutex<Locks>>);

/// Others with the same key wait until this is dropped.
pub struct KeyTurn {
    locks: KeyedLocks,
    slot: Option<Arc<Slot>>,
    guard: Option<OwnedMutexGuard<()>>,
    /// The attempt that this one waited for has failed so.
    failure: Option<Failure>,
}

impl KeyedLocks {
    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many hold the key or wait for it.
    pub fn crowd(&self, key: &Key) -> usize {
        self.locks().get(key).map_or(0, |slot| slot.present.load(Ordering::Relaxed))
    }

    /// Waits until nobody else holds the key.
    pub async fn wait_for(&self, key: Key) -> KeyTurn {
        let slot = Arc::clone(self.locks().entry(key).or_default());
        slot.present.fetch_add(1, Ordering::Relaxed);
        let before = slot.failed().count;
        let mut turn = KeyTurn { locks: self.clone(), slot: Some(Arc::clone(&slot)), guard: None, failure: None };
        turn.guard = Some(Arc::clone(&slot.turn).lock_owned().await);
        let failed = slot.failed();
        turn.failure = failed.last.clone().filter(|_| failed.count > before);
        drop(failed);
        turn
    }
}

impl KeyTurn {
    /// How the attempt failed that this one has waited for, if it asked for the same: what it was told holds for both,
    /// so that many who retry do not wait for one attempt after the other.
    pub fn take_failure(&mut self, request_hash: &str) -> Option<ApiError> {
        self.failure.take().filter(|(asked, _)| asked == request_hash).map(|(_, error)| error)
    }

    /// Tells those who wait that this attempt has failed.
    pub fn share_failure(&self, request_hash: &str, error: &ApiError) {
        if let Some(slot) = &self.slot {
            let mut failed = slot.failed();
            failed.count += 1;
            failed.last = Some((request_hash.to_owned(), error.clone()));
        }
    }
}

impl Drop for KeyTurn {
    fn drop(&mut self) {
        self.guard = None;
        if let Some(slot) = self.slot.take() {
            slot.present.fetch_sub(1, Ordering::Relaxed);
        }
        // What nobody holds or waits for any more is only known to the map.
        self.locks.locks().retain(|_, slot| Arc::strong_count(slot) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        (UserId(1), name.to_owned())
    }

    #[tokio::test]
    async fn the_same_key_waits_and_another_does_not() {
        let locks = KeyedLocks::default();
        let first = locks.wait_for(key("a")).await;
        let other = locks.wait_for(key("b")).await;
        let mut second = Box::pin(locks.wait_for(key("a")));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!((locks.crowd(&key("a")), locks.crowd(&key("b")), locks.crowd(&key("c"))), (2, 1, 0));
        drop(first);
        let second = second.await;
        assert_eq!(locks.locks().len(), 2);
        drop((second, other));
        assert_eq!(locks.locks().len(), 0);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_those_who_waited_for_it_and_to_nobody_later() {
        let locks = KeyedLocks::default();
        let first = locks.wait_for(key("a")).await;
        let mut waiting = Box::pin(locks.wait_for(key("a")));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        first.share_failure("a job", &ApiError::not_found("gone"));
        drop(first);
        let mut second = waiting.await;
        assert!(second.take_failure("a job").is_some());
        let mut late = Box::pin(locks.wait_for(key("a")));
        assert!(futures_util::poll!(&mut late).is_pending());
        drop(second);
        assert!(late.await.take_failure("a job").is_none());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let locks = KeyedLocks::default();
        let first = locks.wait_for(key("a")).await;
        let mut waiting = Box::pin(locks.wait_for(key("a")));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop((waiting, first));
        assert_eq!(locks.locks().len(), 0);
    }
}
