//! How often something was met, one time after the other, and since when: what is said once is not believed.

use protocol::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InARow {
    pub(super) count: i64,
    pub(super) since: Option<Timestamp>,
}

impl InARow {
    /// It was met again; how often by now, and since when.
    pub(super) fn note(&mut self, now: Timestamp) -> (i64, Timestamp) {
        self.count += 1;
        (self.count, *self.since.get_or_insert(now))
    }

    /// This machine's clock was set by `step` milliseconds: what has begun did so no longer ago than before.
    pub(super) fn move_by(&mut self, step: i64) {
        if let Some(since) = &mut self.since {
            since.0 = since.0.saturating_add(step);
        }
    }
}
