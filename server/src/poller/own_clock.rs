//! This machine's clock, which may be set while the server runs: what was noted by it before is moved, once, and only then
//! it is followed.

use super::Poller;
use crate::clock::Doubt;
use crate::lifecycle;
use crate::remote::Remote;
use crate::store::{AnyConnection, environments, jobs, tombstones};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// No mark at all: they count from 1.
const UNMARKED: i64 = 0;

/// Moves what was noted by the machine's clock before that was set, so that each limit and pause keeps its length.
///
/// Where the answer to that is lost, it may have come to pass or not. Until a mark beside it tells, nothing else is saved.
pub(super) async fn follow_clock<R: Remote>(poller: &Poller<R>) {
    let Some(step) = poller.clock.set_by() else { return };
    let (name, before, doubt) = (poller.name().to_owned(), poller.clock.followed_now(), poller.clock.doubt());
    if doubt.is_none() {
        tracing::warn!(environment = name, step_s = step / 1_000, "this machine's clock was set");
    }
    let marked = Arc::new(AtomicI64::new(UNMARKED));
    let made = Arc::clone(&marked);
    let shift = move |c: &mut AnyConnection| {
        let mark = environments::mark_shift(c, &name)?;
        if doubt.is_some_and(|doubt| mark > doubt.mark) {
            // What was made of jobs meanwhile is not saved, since it was reckoned by neither clock.
            jobs::touch(c, &name)?;
        } else {
            jobs::shift_times(c, &name, before, step, lifecycle::SUBMISSION_HORIZON)?;
            environments::shift_times(c, &name, step)?;
            tombstones::shift_times(c, &name, before, step)?;
        }
        made.store(mark, Ordering::Relaxed);
        Ok(())
    };
    // At once: whoever reads what was moved has to reckon by the clock by which it was moved.
    let clock = poller.clock.clone();
    match poller.write_in_doubt(shift, move |()| clock.move_by(step)).await {
        Ok(()) => {
            poller.signals.rounds.forget_freshness();
            poller.signals.words.move_by(step);
            poller.signals.health.move_by(step);
            poller.marks.move_by(step);
            poller.lanes.wake_all();
            poller.bell.ring_work();
        }
        // It is noticed again at the next look.
        Err(error) => {
            let mark = marked.load(Ordering::Relaxed);
            if doubt.is_none() && mark != UNMARKED && !error.is_rollback() {
                poller.clock.set_doubt(Doubt { step, mark });
            }
            tracing::error!(environment = poller.name(), %error, "what was noted before this machine's clock was set could not be moved");
        }
    }
}
