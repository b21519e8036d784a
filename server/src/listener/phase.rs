//! What a connection is at: waiting for a request, or answering one. Shared between its stream, which keeps the time, its
//! requests, and the list of all connections, from which quiet ones are closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Phase {
    opened_at: Instant,
    /// Requests that have come, and those whose answers are not yet written.
    begun: AtomicUsize,
    under_way: AtomicUsize,
    /// Since when nothing is under way, in milliseconds after the opening.
    quiet_since: AtomicU64,
}

/// While a request is being answered.
pub(super) struct UnderWay(Arc<Phase>);

impl Phase {
    pub(super) fn new() -> Self {
        Self {
            opened_at: Instant::now(),
            begun: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            quiet_since: AtomicU64::new(0),
        }
    }

    pub(super) fn begin_request(phase: &Arc<Self>) -> UnderWay {
        phase.begun.fetch_add(1, Ordering::Relaxed);
        phase.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(phase))
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
    }

    /// How many requests have come.
    pub(super) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    pub(super) fn quiet_since(&self) -> Instant {
        self.opened_at + std::time::Duration::from_millis(self.quiet_since.load(Ordering::Relaxed))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let elapsed = u64::try_from(self.0.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.quiet_since.store(elapsed, Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
