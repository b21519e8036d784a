//! What a waiting task waits for: a timer, the tab coming back, or a wish to know now, all as one bell.
//! Rings while nobody waits are kept, so that none is lost.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ring {
    /// Time passed, or the tab was shown or hidden.
    Woken,
    /// Somebody wants to know now; outranks the other.
    Asked,
}

#[derive(Clone, Default)]
pub(super) struct Bell(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rung: Option<Ring>,
    waiting: Option<Waker>,
}

impl Bell {
    pub(super) fn ring(&self, ring: Ring) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.rung = state.rung.max(Some(ring));
        if let Some(waker) = state.waiting.take() {
            waker.wake();
        }
    }

    pub(super) async fn rung(&self) -> Ring {
        poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(ring) = state.rung.take() {
                return Poll::Ready(ring);
            }
            state.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Context;

    fn poll(bell: &Bell) -> Poll<Ring> {
        pin!(bell.rung()).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_ring_before_anybody_waits_is_kept_once() {
        let bell = Bell::default();
        bell.ring(Ring::Woken);
        assert_eq!(poll(&bell), Poll::Ready(Ring::Woken));
        assert_eq!(poll(&bell), Poll::Pending);
    }

    #[test]
    fn a_wish_is_not_lost_beneath_a_timer() {
        let bell = Bell::default();
        bell.ring(Ring::Asked);
        bell.ring(Ring::Woken);
        assert_eq!(poll(&bell), Poll::Ready(Ring::Asked));
    }
}
