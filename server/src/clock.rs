//! The time of what is noted. It is the machine's in a server; a simulation gives its own, so that a run can be repeated to
//! the letter.

use protocol::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// A clock that is set by less is followed as it goes.
const STEP_MS: u64 = 2_000;

/// Tells the time of what is stored. Pauses inside the process run on tokio's monotonic clock.
///
/// The machine's clock may be set at any time. This one goes on evenly from the moment at which it last followed that,
/// so that no limit passes at a jump; what was noted by it is moved before it follows.
#[derive(Clone)]
pub struct Clock {
    tell: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    followed: Arc<Mutex<Followed>>,
}

struct Followed {
    at: Timestamp,
    since: Instant,
    doubt: Option<Doubt>,
}

/// What was noted was to be moved by `step` milliseconds, and nobody knows whether it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) step: i64,
    /// What stands in the database if it was.
    pub(crate) mark: i64,
}

impl Followed {
    fn new(at: Timestamp) -> Self {
        Self { at, since: Instant::now(), doubt: None }
    }

    fn now(&self) -> Timestamp {
        self.at.plus(self.since.elapsed())
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::told_by(Timestamp::now)
    }

    /// Another clock in the place of the machine's.
    pub fn told_by(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let followed = Mutex::new(Followed::new(tell()));
        Self { tell: Arc::new(tell), followed: Arc::new(followed) }
    }

    /// `start` now, and from there on as tokio's clock goes.
    pub fn starting_at(start: Timestamp) -> Self {
        let since = Instant::now();
        Self::told_by(move || start.plus(since.elapsed()))
    }

    pub fn now(&self) -> Timestamp {
        let followed = self.locked();
        // In doubt the earlier time, by which nothing is older than it is.
        let back = followed.doubt.map_or(0, |doubt| doubt.step.min(0));
        Timestamp(followed.now().0.saturating_add(back))
    }

    /// The time by which all was noted that is still to be moved.
    pub(crate) fn followed_now(&self) -> Timestamp {
        self.locked().now()
    }

    pub(crate) fn doubt(&self) -> Option<Doubt> {
        self.locked().doubt
    }

    /// Until it is known whether what was noted has been moved.
    pub(crate) fn set_doubt(&self, doubt: Doubt) {
        self.locked().doubt = Some(doubt);
    }

    /// By how many milliseconds the machine's clock has been set since it was followed; negative where it was put back.
    /// `None`: it goes as it should, and is followed.
    pub(crate) fn set_by(&self) -> Option<i64> {
        if let Some(doubt) = self.doubt() {
            return Some(doubt.step);
        }
        let step = self.step();
        if step.unsigned_abs() >= STEP_MS {
            return Some(step);
        }
        self.follow();
        None
    }

    fn step(&self) -> i64 {
        (self.tell)().0.saturating_sub(self.followed_now().0)
    }

    /// Goes on by so many milliseconds elsewhere: a step that came meanwhile is still to be noticed.
    pub(crate) fn move_by(&self, step: i64) {
        let mut followed = self.locked();
        followed.at = Timestamp(followed.at.0.saturating_add(step));
        followed.doubt = None;
    }

    pub(crate) fn follow(&self) {
        *self.locked() = Followed::new((self.tell)());
    }

    fn locked(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    const HOUR: i64 = 3_600_000;

    #[test]
    fn what_is_set_while_a_step_is_followed_is_a_step_of_its_own() {
        let set = Arc::<AtomicI64>::default();
        let by = Arc::clone(&set);
        let since = Instant::now();
        let clock = Clock::told_by(move || Timestamp(by.load(Ordering::Relaxed)).plus(since.elapsed()));
        set.store(HOUR, Ordering::Relaxed);
        let step = clock.step();
        set.store(2 * HOUR, Ordering::Relaxed);
        clock.move_by(step);
        assert!((clock.step() - HOUR).abs() < 60_000, "{}", clock.step());
    }
}
