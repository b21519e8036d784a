//! Remembers answers for a while, and asks only once for all who ask at the same time.
//! Failures are shared by those who were waiting, but never remembered.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

type Slot<V, E> = Arc<tokio::sync::Mutex<Option<Answered<V, E>>>>;

struct Answered<V, E> {
    asked_at: Instant,
    came_at: Instant,
    result: Result<V, E>,
}

pub struct Memory<K, V, E> {
    slots: Mutex<HashMap<K, Slot<V, E>>>,
    /// How long such an answer holds.
    keep: fn(&V) -> Duration,
    /// Most answers remembered; beyond it the oldest go.
    capacity: usize,
}

impl<K: Clone + Eq + Hash, V: Clone, E: Clone> Memory<K, V, E> {
    pub fn new(keep: fn(&V) -> Duration, capacity: usize) -> Self {
        Self { slots: Mutex::default(), keep, capacity }
    }

    /// The remembered answer, or that of `ask`.
    pub async fn get(&self, key: K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let wanted_at = Instant::now();
        let is_good = |answered: &Answered<V, E>| {
            let holds = |value: &V| answered.asked_at.elapsed() < (self.keep)(value);
            let is_fresh = answered.result.as_ref().is_ok_and(holds);
            // It came while we were waiting for our turn.
            is_fresh || answered.came_at >= wanted_at
        };
        self.get_good(key, is_good, ask).await
    }

    /// The answer to a question that was asked no earlier than now; remembered for others.
    pub async fn get_anew(&self, key: K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let wanted_at = Instant::now();
        self.get_good(key, |answered| answered.asked_at >= wanted_at, ask).await
    }

    async fn get_good(
        &self,
        key: K,
        is_good: impl Fn(&Answered<V, E>) -> bool,
        ask: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some(answered) = slot.as_ref().filter(|answered| is_good(answered)) {
            return answered.result.clone();
        }
        let asked_at = Instant::now();
        let result = ask.await;
        *slot = Some(Answered { asked_at, came_at: Instant::now(), result: result.clone() });
        result
    }

    fn slot(&self, key: K) -> Slot<V, E> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= self.capacity && !slots.contains_key(&key) {
            evict_oldest(&mut slots);
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

/// Slots that somebody is asking for are left alone.
fn evict_oldest<K: Clone + Eq + Hash, V, E>(slots: &mut HashMap<K, Slot<V, E>>) {
    let age =
        |slot: &Slot<V, E>| slot.try_lock().ok().map(|answered| answered.as_ref().map(|answered| answered.asked_at));
    let oldest = slots.iter().filter_map(|(key, slot)| Some((age(slot)?, key))).min_by_key(|(at, _)| *at);
    if let Some(key) = oldest.map(|(_, key)| key.clone()) {
        slots.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Counts how often it is asked.
    #[derive(Default)]
    struct Source(AtomicU32);

    impl Source {
        async fn ask(&self) -> Result<u32, String> {
            tokio::task::yield_now().await;
            Ok(self.0.fetch_add(1, Ordering::Relaxed))
        }

        async fn fail(&self) -> Result<u32, String> {
            self.ask().await.and_then(|n| Err(n.to_string()))
        }
    }

    #[tokio::test]
    async fn an_answer_is_remembered_for_its_time() {
        let (long, source) = (Memory::new(|_| Duration::MAX, 10), Source::default());
        assert_eq!(long.get("a", source.ask()).await, Ok(0));
        assert_eq!(long.get("a", source.ask()).await, Ok(0));
        assert_eq!(long.get_anew("a", source.ask()).await, Ok(1));
        assert_eq!(long.get("a", source.ask()).await, Ok(1));

        let (short, source) = (Memory::new(|_| Duration::ZERO, 10), Source::default());
        assert_eq!(short.get("a", source.ask()).await, Ok(0));
        assert_eq!(short.get("a", source.ask()).await, Ok(1));

        let by_worth = |answer: &u32| if *answer == 0 { Duration::ZERO } else { Duration::MAX };
        let (worthy, source) = (Memory::new(by_worth, 10), Source::default());
        for expected in [0, 1, 1] {
            assert_eq!(worthy.get("a", source.ask()).await, Ok(expected));
        }
    }

    #[tokio::test]
    async fn those_who_ask_together_share_one_question_and_its_failure() {
        let (memory, source) = (Memory::new(|_| Duration::MAX, 10), Source::default());
        let answers = tokio::join!(memory.get("a", source.fail()), memory.get("a", source.fail()));
        assert_eq!(answers, (Err("0".into()), Err("0".into())));
        assert_eq!(memory.get("a", source.ask()).await, Ok(1), "a failure is not remembered");
    }

    #[tokio::test]
    async fn asking_anew_does_not_share_a_question_that_was_under_way() {
        let (memory, source) = (Memory::new(|_| Duration::MAX, 10), Source::default());
        let answers = tokio::join!(memory.get("a", source.ask()), memory.get_anew("a", source.ask()));
        assert_eq!(answers, (Ok(0), Ok(1)));
    }

    #[tokio::test]
    async fn the_oldest_answer_makes_room() {
        let (memory, source) = (Memory::new(|_| Duration::MAX, 2), Source::default());
        for key in ["a", "b", "c"] {
            memory.get(key, source.ask()).await.unwrap();
        }
        assert_eq!(memory.get("b", source.ask()).await, Ok(1));
        assert_eq!(memory.get("a", source.ask()).await, Ok(3));
        assert_eq!(memory.slots.lock().unwrap().len(), 2);
    }
}
