//! How many requests this process has answered since its start, and how long they took.
//! Counted by the handlers' outermost layer and shown at `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Method, route and status of a request.
pub type Labels = (&'static str, String, u16);

#[derive(Clone, Copy, Default)]
pub struct Sum {
    pub count: u64,
    pub time: Duration,
}

#[derive(Default)]
pub struct Metrics(Mutex<BTreeMap<Labels, Sum>>);

impl Metrics {
    pub fn count(&self, labels: Labels, took: Duration) {
        let mut sums = self.lock();
        let sum = sums.entry(labels).or_default();
        sum.count += 1;
        sum.time += took;
    }

    /// As they stand now, in order.
    pub fn sums(&self) -> BTreeMap<Labels, Sum> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Labels, Sum>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
