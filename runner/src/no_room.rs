//! The memory of checkouts for which there was no room. What there was of one is cleared away at once, so that the disk
//! seems to have room again: the next one is tried after a pause, which grows while each fails, or when a queue's files
//! have been removed. A queue that has failed waits for itself, so that those behind it that need less are tried.

use crate::layout::Layout;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Each try writes the disk full, which memory cards do not bear often.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

pub struct NoRoom {
    words: String,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// Of the last checkout, if it found none.
    last: Option<Failure>,
    queues: HashMap<i64, Failure>,
    removals: u64,
}

#[derive(Clone, Copy)]
struct Failure {
    pause: Duration,
    until: Instant,
}

impl Failure {
    fn again(before: Option<Self>, now: Instant) -> Self {
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        Self { pause, until: now + pause }
    }
}

impl NoRoom {
    pub fn new(layout: &Layout) -> Self {
        Self {
            words: format!("a checkout found no room at {}", layout.workspace_root().display()),
            memory: Mutex::default(),
        }
    }

    /// What is wrong, while the next try has to wait.
    pub fn words(&self, now: Instant) -> Option<String> {
        self.lock().last.filter(|failure| now < failure.until).map(|_| self.words.clone())
    }

    /// Whether some checkout found none, so that the next one is better made alone: two that take the room from each
    /// other fail both, and again at each try.
    pub fn is_tight(&self) -> bool {
        let memory = self.lock();
        memory.last.is_some() || !memory.queues.is_empty()
    }

    /// Queues of which a checkout has failed for want of room.
    pub fn queues(&self) -> Vec<i64> {
        self.lock().queues.keys().copied().collect()
    }

    /// Whether a queue is not to be tried yet.
    pub fn waits(&self, queue: i64, now: Instant) -> bool {
        self.lock().queues.get(&queue).is_some_and(|failure| now < failure.until)
    }

    /// A checkout has failed for want of room.
    pub fn note_failure(&self, queue: i64, now: Instant) {
        let mut memory = self.lock();
        memory.last = Some(Failure::again(memory.last, now));
        let of_queue = Failure::again(memory.queues.get(&queue).copied(), now);
        memory.queues.insert(queue, of_queue);
    }

    /// A checkout has been made.
    pub fn note_room(&self, queue: i64) {
        let mut memory = self.lock();
        memory.last = None;
        memory.queues.remove(&queue);
    }

    /// Nobody waits for a checkout of this queue any more.
    pub fn forget(&self, queue: i64) {
        self.lock().queues.remove(&queue);
    }

    /// How often files of a queue were about to be removed: a checkout that finds no room before they are gone does so
    /// for their sake.
    pub fn removals(&self) -> u64 {
        self.lock().removals
    }

    /// Files of a queue are about to be removed.
    pub fn note_begin_of_removal(&self) {
        self.lock().removals += 1;
    }

    /// A queue's files are gone: it is worth a try.
    pub fn note_removal(&self, now: Instant) {
        let mut memory = self.lock();
        if let Some(failure) = memory.last.as_mut() {
            failure.until = now;
        }
        memory.queues.values_mut().for_each(|failure| failure.until = now);
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_room() -> NoRoom {
        NoRoom { words: "no room".to_owned(), memory: Mutex::default() }
    }

    #[test]
    fn checkouts_are_tried_again_after_longer_and_longer_or_when_something_was_removed() {
        let no_room = no_room();
        let mut now = Instant::now();
        for pause in [5, 10, 20, 40, 80, 160, 300, 300] {
            no_room.note_failure(1, now);
            assert!(no_room.words(now + Duration::from_secs(pause - 1)).is_some(), "{pause}");
            now += Duration::from_secs(pause);
            assert_eq!(no_room.words(now), None, "{pause}");
        }
        no_room.note_failure(1, now);
        no_room.note_removal(now);
        assert_eq!(no_room.words(now), None);
        no_room.note_room(1);
        no_room.note_failure(1, now);
        assert_eq!(no_room.words(now + FIRST_PAUSE), None);
    }

    #[test]
    fn a_queue_that_found_no_room_lets_those_behind_it_pass() {
        let (no_room, now) = (no_room(), Instant::now());
        no_room.note_failure(1, now);
        no_room.note_failure(1, now);
        no_room.note_room(2);
        assert_eq!(no_room.words(now), None, "one that needs less has found some");
        assert!(no_room.waits(1, now) && !no_room.waits(2, now) && no_room.is_tight());
        assert!(!no_room.waits(1, now + FIRST_PAUSE * 2));
        no_room.forget(1);
        assert!(!no_room.is_tight());
    }
}
