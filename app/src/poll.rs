//! Facts that keep themselves up to date while somebody looks at them: the one way in which a view asks again.
//! Below it all else that goes by a timer: the page's clock, and what it asks about the server itself.

use crate::browser;
use crate::client::{ClientError, Fetched, Loaded};
use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;
use protocol::Timestamp;
use protocol::api::ErrorCode;
use std::pin::Pin;
use std::rc::Rc;

mod bell;
mod clock;
mod health;

use bell::{Bell, Ring};
pub(crate) use clock::Clock;
#[cfg(not(feature = "ssr"))]
pub(crate) use health::a_while;
pub(crate) use health::{now_and_then, while_true};

/// Between an answer and the next question. What a person still feels as live, at a cost of one 304.
const INTERVAL_MS: u32 = 5_000;
/// The longest pause after failures: a server that is back is noticed within half a minute.
const LONGEST_MS: u32 = 30_000;
/// Pauses are up to so much longer, so that many open pages do not ask all at once.
const JITTER_PERCENT: u32 = 20;

/// Facts from the server, their age, and what keeps them from being renewed.
pub(crate) struct Live<T: Send + Sync + 'static> {
    pub(crate) value: RwSignal<T>,
    pub(crate) synced_at: RwSignal<Option<Timestamp>>,
    /// Why the last question brought nothing; the value before it stays.
    pub(crate) trouble: RwSignal<Option<ClientError>>,
    /// When the server last answered, by its own clock; at first, when it drew the page.
    pub(crate) answered_at: RwSignal<Option<Timestamp>>,
    etag: StoredValue<Option<String>>,
    /// Of what is shown: an answer to what was asked before it changed otherwise is dropped.
    generation: StoredValue<u64>,
    bell: StoredValue<Bell>,
}

impl<T: Send + Sync + 'static> Clone for Live<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Live<T> {}

impl<T: Send + Sync + 'static> Live<T> {
    fn new(seed: Loaded<T>) -> Self {
        Self {
            value: RwSignal::new(seed.body),
            synced_at: RwSignal::new(seed.synced_at),
            trouble: RwSignal::new(None),
            answered_at: RwSignal::new(expect_context::<Clock>().now_untracked()),
            etag: StoredValue::new(seed.etag),
            generation: StoredValue::new(0),
            bell: StoredValue::new(Bell::default()),
        }
    }

    /// Asks now, also where nothing more was expected to change.
    pub(crate) fn refresh(self) {
        // The view may have been left while an action was under way.
        let _ = self.bell.try_with_value(|bell| bell.ring(Ring::Asked));
    }

    /// Shows what an action's answer said, and asks for the rest.
    pub(crate) fn replace(self, value: T) {
        if self.generation.try_update_value(|generation| *generation += 1).is_none() {
            // The view was left while the action was under way.
            return;
        }
        self.value.set(value);
        self.etag.set_value(None);
        self.refresh();
    }

    fn take<U>(self, answer: Result<Fetched<U>, ClientError>, merge: impl Fn(&mut T, U)) {
        match answer {
            Ok(Fetched::Modified(loaded)) => {
                self.etag.set_value(loaded.etag);
                self.synced_at.set(loaded.synced_at);
                self.value.update(|value| merge(value, loaded.body));
                self.answered();
            }
            Ok(Fetched::NotModified { synced_at }) => {
                if synced_at.is_some() {
                    self.synced_at.set(synced_at);
                }
                self.answered();
            }
            Err(error) => self.trouble.set(Some(error)),
        }
    }

    /// What is gone stays gone.
    fn is_gone(self) -> bool {
        self.trouble.with_untracked(|trouble| trouble.as_ref().is_some_and(|error| error.is(ErrorCode::NotFound)))
    }

    fn answered(self) {
        self.answered_at.set(Some(browser::now()));
        if self.trouble.with_untracked(Option::is_some) {
            self.trouble.set(None);
        }
    }
}

/// Starts from what the server put into the page and keeps asking, until `is_final` or the view is left.
/// `ask` gets what is shown and its version; `merge` puts the answer into it.
pub(crate) fn live<T, U, Ask, Answering>(
    seed: Loaded<T>,
    ask: Ask,
    merge: impl Fn(&mut T, U) + Clone + 'static,
    is_final: impl Fn(&T) -> bool + 'static,
) -> Live<T>
where
    T: Send + Sync + 'static,
    U: 'static,
    Ask: Fn(&T, Option<String>) -> Answering + 'static,
    Answering: Future<Output = Result<Fetched<U>, ClientError>> + 'static,
{
    let live = Live::new(seed);
    let put = move || -> Asking {
        let (etag, generation) = (live.etag.get_value(), live.generation.get_value());
        let (answer, merge) = (live.value.with_untracked(|value| ask(value, etag)), merge.clone());
        Box::pin(async move {
            let answer = answer.await;
            let is_answered = answer.is_ok();
            if live.generation.get_value() == generation {
                live.take(answer, &merge);
            }
            is_answered
        })
    };
    let is_over = move || live.is_gone() || live.value.with_untracked(&is_final);
    keep_asking(live.bell.get_value(), Rc::new(is_over), Rc::new(put));
    live
}

/// A question under way: whether it was answered.
type Asking = Pin<Box<dyn Future<Output = bool>>>;

/// The same for whatever is asked, so that it is in the page once.
fn keep_asking(bell: Bell, is_over: Rc<dyn Fn() -> bool>, put: Rc<dyn Fn() -> Asking>) {
    Effect::new(move |_| {
        let (bell, is_over, put) = (bell.clone(), Rc::clone(&is_over), Rc::clone(&put));
        let wakers = ["visibilitychange", "online"].map(|event| {
            let bell = bell.clone();
            window_event_listener_untyped(event, move |_| bell.ring(Ring::Woken))
        });
        on_cleanup(move || wakers.into_iter().for_each(WindowListenerHandle::remove));
        spawn_local_scoped_with_cancellation(async move {
            let (mut failures, mut is_asked) = (0, false);
            loop {
                let is_over = is_over();
                let timer = (!is_over && !browser::is_hidden()).then(|| {
                    let bell = bell.clone();
                    Timeout::new(pause(failures, browser::random()), move || bell.ring(Ring::Woken))
                });
                // What somebody wants to know stays wanted until the tab is seen.
                is_asked |= bell.rung().await == Ring::Asked;
                drop(timer);
                if browser::is_hidden() || (is_over && !is_asked) {
                    continue;
                }
                is_asked = false;
                failures = if put().await { 0 } else { failures + 1 };
            }
        });
    });
}

/// In milliseconds: twice as long after each failure. `random` is from 0 to 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand at most")]
fn pause(failures: u32, random: f64) -> u32 {
    let pause = INTERVAL_MS.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_MS);
    pause + (f64::from(pause / 100 * JITTER_PERCENT) * random) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_make_the_pauses_longer_up_to_a_limit() {
        let pauses = [0, 1, 2, 3, 40].map(|failures| pause(failures, 0.0));
        assert_eq!(pauses, [5_000, 10_000, 20_000, 30_000, 30_000]);
    }

    #[test]
    fn pauses_differ_from_page_to_page() {
        assert_eq!((pause(0, 0.5), pause(0, 1.0), pause(9, 1.0)), (5_500, 6_000, 36_000));
    }
}
