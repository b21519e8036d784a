//! Whether a remote server is worth asking. After some failures in a row to get an answer at all, nobody asks it any
//! more but for one call each few seconds, whatever that is about; one answer closes the breaker again.
//! `GET /api/health` alone does not: a server that answers it and hangs at the rest is a bad one.

use super::locked;
use crate::remote::{Reach, RemoteError};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Calls in a row that got no answer before the server counts as unreachable.
const FAILURES_TO_OPEN: u32 = 3;
/// How often a server that can't be reached is tried, so that what waits is sent soon after it is back.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// A server that answers only `GET /api/health`, and has been asked nothing else for so long, is believed.
const SILENCE: Duration = Duration::from_mins(1);

#[derive(Default)]
pub struct Breaker {
    state: Mutex<State>,
    /// The first failure after an answer, and each opening and closing.
    changed: Notify,
}

#[derive(Default)]
struct State {
    failures: u32,
    open: Option<Open>,
}

struct Open {
    /// For admins.
    error: String,
    /// For everybody.
    public: String,
    probe_at: Instant,
    /// When a call other than `GET /api/health` failed last.
    failed_at: Option<Instant>,
}

/// What stands in the way of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// For admins.
    pub(super) error: String,
    /// For everybody.
    pub(super) public: String,
}

impl Breaker {
    /// Whether a call may be made now; else when the next one may. While the breaker is open each `true` is the one
    /// call of its interval.
    pub(super) fn may_call(&self) -> Result<(), Instant> {
        let mut state = locked(&self.state);
        let now = Instant::now();
        match &mut state.open {
            None => Ok(()),
            Some(open) if open.probe_at <= now => {
                open.probe_at = now + PROBE_INTERVAL;
                Ok(())
            }
            Some(open) => Err(open.probe_at),
        }
    }

    pub(super) fn outage(&self) -> Option<Outage> {
        let state = locked(&self.state);
        state.open.as_ref().map(|open| Outage { error: open.error.clone(), public: open.public.clone() })
    }

    pub(super) fn is_open(&self) -> bool {
        locked(&self.state).open.is_some()
    }

    /// Until the server was found unreachable, or back, or a first call failed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What came of a call about a job.
    pub(super) fn note<T>(&self, outcome: &Result<T, RemoteError>) {
        match outcome {
            Err(error) if error.reach() != Reach::Answered => self.fail(error, FAILURES_TO_OPEN, true),
            _ => self.close(),
        }
    }

    /// What came of `GET /api/health`; a failure is that there was no answer.
    pub(super) fn note_health<T>(&self, outcome: &Result<T, RemoteError>) {
        let Err(error) = outcome else {
            let mut state = locked(&self.state);
            let is_believed =
                state.open.as_ref().is_some_and(|open| open.failed_at.is_none_or(|at| at.elapsed() >= SILENCE));
            if is_believed {
                *state = State::default();
                self.changed.notify_one();
            }
            return;
        };
        self.fail(error, 1, false);
    }

    fn fail(&self, error: &RemoteError, enough: u32, is_call: bool) {
        let mut state = locked(&self.state);
        state.failures = state.failures.saturating_add(1);
        let is_first = state.failures == 1;
        let failed_at = is_call.then(Instant::now);
        if let Some(open) = &mut state.open {
            (open.error, open.public) = (error.private(), error.to_string());
            // A failed question about health says nothing of how the other calls fare.
            open.failed_at = failed_at.or(open.failed_at);
            return;
        }
        if state.failures >= enough {
            let failed_at = failed_at.filter(|_| enough > 1);
            let probe_at = Instant::now() + PROBE_INTERVAL;
            state.open = Some(Open { error: error.private(), public: error.to_string(), probe_at, failed_at });
            self.changed.notify_one();
        } else if is_first {
            self.changed.notify_one();
        }
    }

    fn close(&self) {
        let mut state = locked(&self.state);
        let was_open = state.open.is_some();
        *state = State::default();
        if was_open {
            self.changed.notify_one();
        }
    }
}
