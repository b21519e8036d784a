//! What all simulated processes and people share: the time, chance, the remote server, and the book in which broken
//! promises are written down.

use crate::bench::Bench;
use crate::dice::Dice;
use crate::profile::{Profile, Span};
use crate::witness::Witness;
use protocol::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// When every run begins, on the true clock.
const BEGINNING: Timestamp = Timestamp(1_767_225_600_000);

pub struct World {
    pub profile: Profile,
    pub began_at: Instant,
    dice: Mutex<Dice>,
    bench: Mutex<Bench>,
    witness: Mutex<Option<Witness>>,
    /// Nothing goes wrong any more.
    is_over: AtomicBool,
    steps: AtomicU64,
    faults: Mutex<BTreeMap<&'static str, u64>>,
    broken: Mutex<Vec<String>>,
    /// What happened, in order: of two runs of a seed it has to be the same.
    trace: Mutex<Vec<String>>,
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub fn new(profile: Profile, dice: Dice) -> Self {
        Self {
            bench: Mutex::new(Bench::new(&profile)),
            profile,
            began_at: Instant::now(),
            dice: Mutex::new(dice),
            witness: Mutex::default(),
            is_over: AtomicBool::new(false),
            steps: AtomicU64::new(0),
            faults: Mutex::default(),
            broken: Mutex::default(),
            trace: Mutex::default(),
        }
    }

    pub fn age(&self) -> Duration {
        self.began_at.elapsed()
    }

    /// The true time.
    pub fn now(&self) -> Timestamp {
        BEGINNING.plus(self.age())
    }

    /// What our own machine's clock says.
    pub fn own_now(&self) -> Timestamp {
        let set = self.profile.clock_steps.iter().filter(|(at, _)| *at <= self.age()).map(|(_, by)| by);
        Timestamp(self.now().0 + set.sum::<i64>())
    }

    pub fn roll<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut locked(&self.dice))
    }

    /// The remote server as it stands now.
    pub fn bench(&self) -> MutexGuard<'_, Bench> {
        let mut bench = locked(&self.bench);
        bench.go_on(self.age());
        bench
    }

    pub fn is_within(&self, spans: &[Span]) -> bool {
        let age = self.age();
        !self.is_over() && spans.iter().any(|(from, to)| (*from..*to).contains(&age))
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    pub fn end_faults(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.note("nothing goes wrong any more".to_owned());
    }

    pub fn count(&self, fault: &'static str) {
        *locked(&self.faults).entry(fault).or_default() += 1;
    }

    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.faults).clone()
    }

    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    pub fn set_witness(&self, witness: Witness) {
        *locked(&self.witness) = Some(witness);
    }

    /// Somebody is about to touch the world: what they and others have left there is looked at.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::SeqCst);
        if let Some(witness) = locked(&self.witness).as_mut() {
            witness.look(self);
        }
    }

    pub fn with_witness<T>(&self, work: impl FnOnce(&mut Witness) -> T) -> Option<T> {
        locked(&self.witness).as_mut().map(work)
    }

    pub fn breaks(&self, promise: String) {
        self.note(format!("BROKEN: {promise}"));
        locked(&self.broken).push(promise);
    }

    pub fn broken(&self) -> Vec<String> {
        locked(&self.broken).clone()
    }

    pub fn note(&self, event: String) {
        let ms = self.age().as_millis();
        locked(&self.trace).push(format!("{:>5}.{:03} {event}", ms / 1_000, ms % 1_000));
    }

    pub fn trace(&self) -> Vec<String> {
        locked(&self.trace).clone()
    }
}
