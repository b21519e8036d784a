//! The poller's time and chance. Both are the system's in a server; a simulation gives its own, so that a run can be
//! repeated to the letter.

use super::locked;
use protocol::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// Tells the time of what is stored. Pauses inside the process run on tokio's monotonic clock.
///
/// The machine's clock may be set at any time. This one goes on evenly from the moment at which it last followed that,
/// so that no limit passes at a jump; what was noted by it is moved before it follows.
#[derive(Clone)]
pub struct Clock {
    tell: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    followed: Arc<Mutex<(Timestamp, Instant)>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::told_by(Timestamp::now)
    }

    /// Another clock in the place of the machine's.
    pub fn told_by(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let followed = Mutex::new((tell(), Instant::now()));
        Self { tell: Arc::new(tell), followed: Arc::new(followed) }
    }

    /// `start` now, and from there on as tokio's clock goes.
    pub fn starting_at(start: Timestamp) -> Self {
        let since = Instant::now();
        Self::told_by(move || start.plus(since.elapsed()))
    }

    pub fn now(&self) -> Timestamp {
        let (at, since) = *locked(&self.followed);
        at.plus(since.elapsed())
    }

    /// By how many milliseconds the machine's clock has been set since it was followed; negative where it was put back.
    pub(super) fn step(&self) -> i64 {
        (self.tell)().0.saturating_sub(self.now().0)
    }

    /// Goes on by so many milliseconds elsewhere: a step that came meanwhile is still to be noticed.
    pub(super) fn move_by(&self, step: i64) {
        let mut followed = locked(&self.followed);
        followed.0 = Timestamp(followed.0.0.saturating_add(step));
    }

    pub(super) fn follow(&self) {
        *locked(&self.followed) = ((self.tell)(), Instant::now());
    }
}

/// Spreads pauses, so that many jobs do not come back at one moment.
#[derive(Debug)]
pub struct Chance(AtomicU64);

impl Default for Chance {
    fn default() -> Self {
        Self::seeded(rand::random())
    }
}

impl Chance {
    pub fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Between 0 and 1. The generator is splitmix64: small, and good enough to spread pauses.
    pub fn jitter(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI64;

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

    #[test]
    fn the_same_seed_gives_the_same_chance() {
        let draw = |seed| {
            let chance = Chance::seeded(seed);
            (0..5).map(|_| chance.jitter()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|jitter| (0.0..=1.0).contains(jitter)));
    }
}
