//! The memory of a checkout for which there was no room. What there was of it is cleared away at once, so that the disk
//! seems to have room again: the next one is tried after a pause, or when a queue's files have been removed.

use crate::layout::Layout;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Each try writes the disk full, which memory cards do not bear often.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

pub struct NoRoom {
    words: String,
    last: Mutex<Option<Failure>>,
}

#[derive(Clone, Copy)]
struct Failure {
    pause: Duration,
    until: Instant,
}

impl NoRoom {
    pub fn new(layout: &Layout) -> Self {
        Self {
            words: format!("a checkout found no room at {}", layout.workspace_root().display()),
            last: Mutex::default(),
        }
    }

    /// What is wrong, while the next try has to wait.
    pub fn words(&self, now: Instant) -> Option<String> {
        self.lock().filter(|failure| now < failure.until).map(|_| self.words.clone())
    }

    /// Whether the last checkout found none, so that the next one is better made alone: two that take the room from
    /// each other fail both, and again at each try.
    pub fn is_tight(&self) -> bool {
        self.lock().is_some()
    }

    /// A checkout has failed for want of room.
    pub fn note_failure(&self, now: Instant) {
        let mut last = self.lock();
        let pause = last.map_or(FIRST_PAUSE, |last| (last.pause * 2).min(LONGEST_PAUSE));
        *last = Some(Failure { pause, until: now + pause });
    }

    /// A checkout has been made.
    pub fn note_room(&self) {
        *self.lock() = None;
    }

    /// A queue's files are gone: it is worth a try.
    pub fn note_removal(&self, now: Instant) {
        if let Some(failure) = self.lock().as_mut() {
            failure.until = now;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Failure>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkouts_are_tried_again_after_longer_and_longer_or_when_something_was_removed() {
        let no_room = NoRoom { words: "no room".to_owned(), last: Mutex::default() };
        let mut now = Instant::now();
        for pause in [5, 10, 20, 40, 80, 160, 300, 300] {
            no_room.note_failure(now);
            assert!(no_room.words(now + Duration::from_secs(pause - 1)).is_some(), "{pause}");
            now += Duration::from_secs(pause);
            assert_eq!(no_room.words(now), None, "{pause}");
        }
        no_room.note_failure(now);
        no_room.note_removal(now);
        assert_eq!(no_room.words(now), None);
        no_room.note_room();
        no_room.note_failure(now);
        assert_eq!(no_room.words(now + FIRST_PAUSE), None);
    }
}
