//! The poller's chance: the system's in a server; a simulation gives its own seed, so that a run can be repeated to the letter.

use std::sync::atomic::{AtomicU64, Ordering};

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
