//! A map that forgets: each entry after its time, and the whole when it would grow beyond its bound.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// More users, scripts and browsers than a replica serves in a second; some hundred bytes each.
const MOST: usize = 10_000;

pub(super) struct Recent<K, V> {
    lasts: Duration,
    entries: HashMap<K, (V, Instant)>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(lasts: Duration) -> Self {
        Self { lasts, entries: HashMap::new() }
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).filter(|(_, at)| now.duration_since(*at) < self.lasts).map(|(value, _)| value.clone())
    }

    pub(super) fn insert(&mut self, key: K, value: V, now: Instant) {
        if self.entries.len() >= MOST {
            self.entries.retain(|_, (_, at)| now.duration_since(*at) < self.lasts);
            // With little room gained the next insert but few would walk through all of it again: begin anew.
            if self.entries.len() > MOST / 2 {
                self.entries.clear();
            }
        }
        self.entries.insert(key, (value, now));
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&V) -> bool) {
        self.entries.retain(|_, (value, _)| is_kept(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut recent, now) = (Recent::new(Duration::from_mins(1)), Instant::now());
        for key in 0..3 * MOST {
            recent.insert(key, (), now);
            assert!(recent.get(&key, now).is_some());
        }
        assert!(recent.entries.len() <= MOST);
    }
}
