//! Requests with the same idempotency key take turns in this process, so that a retry waits for the first attempt.
//! Between replicas the key's unique row in the store decides.

use protocol::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// A user's own key: two users may choose the same.
type Key = (UserId, String);
type Locks = HashMap<Key, Arc<tokio::sync::Mutex<()>>>;

/// One lock per key in use. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct KeyedLocks(Arc<Mutex<Locks>>);

/// Others with the same key wait until this is dropped.
pub struct KeyTurn {
    locks: KeyedLocks,
    guard: Option<OwnedMutexGuard<()>>,
}

impl KeyedLocks {
    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else holds the key.
    pub async fn wait_for(&self, key: Key) -> KeyTurn {
        let lock = Arc::clone(self.locks().entry(key).or_default());
        KeyTurn { guard: Some(lock.lock_owned().await), locks: self.clone() }
    }
}

impl Drop for KeyTurn {
    fn drop(&mut self) {
        self.guard = None;
        // What nobody holds or waits for any more is only known to the map.
        self.locks.locks().retain(|_, lock| Arc::strong_count(lock) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_key_waits_and_another_does_not() {
        let locks = KeyedLocks::default();
        let key = |name: &str| (UserId(1), name.to_owned());
        let first = locks.wait_for(key("a")).await;
        let other = locks.wait_for(key("b")).await;
        let mut second = Box::pin(locks.wait_for(key("a")));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await;
        assert_eq!(locks.locks().len(), 2);
        drop((second, other));
        assert_eq!(locks.locks().len(), 0);
    }
}
