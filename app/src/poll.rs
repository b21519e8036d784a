//! The single polling primitive: facts that keep themselves up to date while somebody looks at them.
//! And the page's one clock, because timers live here only.

use crate::browser;
use crate::client::{ClientError, Fetched, Loaded};
use gloo_timers::callback::Timeout;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;
use protocol::Timestamp;
use protocol::api::ErrorCode;

mod bell;

use bell::{Bell, Ring};

/// Between an answer and the next question. What a person still feels as live, at a cost of one 304.
const INTERVAL_MS: u32 = 5_000;
/// Ages and running times are shown in whole seconds.
const TICK_MS: u32 = 1_000;

/// Facts from the server, their age, and what keeps them from being renewed.
pub(crate) struct Live<T: Send + Sync + 'static> {
    pub(crate) value: RwSignal<T>,
    pub(crate) synced_at: RwSignal<Option<Timestamp>>,
    /// Why the last question brought nothing; the value before it stays.
    pub(crate) trouble: RwSignal<Option<ClientError>>,
    /// When the server last answered, by the browser's clock; none before the page is live.
    pub(crate) answered_at: RwSignal<Option<Timestamp>>,
    etag: StoredValue<Option<String>>,
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
            answered_at: RwSignal::new(None),
            etag: StoredValue::new(seed.etag),
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
            Err(error) if error.is(ErrorCode::Unauthenticated) => browser::leave_for_login(),
            Err(error) => self.trouble.set(Some(error)),
        }
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
pub(crate) fn live<T, U, Ask, Asking>(
    seed: Loaded<T>,
    ask: Ask,
    merge: impl Fn(&mut T, U) + Clone + 'static,
    is_final: impl Fn(&T) -> bool + Clone + 'static,
) -> Live<T>
where
    T: Send + Sync + 'static,
    U: 'static,
    Ask: Fn(&T, Option<String>) -> Asking + Clone + 'static,
    Asking: Future<Output = Result<Fetched<U>, ClientError>> + 'static,
{
    let live = Live::new(seed);
    Effect::new(move |_| {
        let (ask, merge, is_final) = (ask.clone(), merge.clone(), is_final.clone());
        live.answered_at.set(Some(browser::now()));
        let bell = live.bell.get_value();
        let on_visibility = {
            let bell = bell.clone();
            window_event_listener_untyped("visibilitychange", move |_| bell.ring(Ring::Woken))
        };
        on_cleanup(move || on_visibility.remove());
        spawn_local_scoped_with_cancellation(async move {
            loop {
                let is_over = live.value.with_untracked(&is_final);
                let timer = (!is_over && !browser::is_hidden()).then(|| {
                    let bell = bell.clone();
                    Timeout::new(INTERVAL_MS, move || bell.ring(Ring::Woken))
                });
                let ring = bell.rung().await;
                drop(timer);
                if browser::is_hidden() || (is_over && ring != Ring::Asked) {
                    continue;
                }
                let etag = live.etag.get_value();
                let asking = live.value.with_untracked(|value| ask(value, etag));
                live.take(asking.await, &merge);
            }
        });
    });
    live
}

/// The browser's time, each second; none on the server and until the page is live, so that both draw the same.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    now: RwSignal<Option<Timestamp>>,
    is_live: Memo<bool>,
}

impl Clock {
    pub(crate) fn provide() {
        let now = RwSignal::new(None);
        provide_context(Self { now, is_live: Memo::new(move |_| now.with(Option::is_some)) });
        Effect::new(move |_| {
            spawn_local_scoped_with_cancellation(async move {
                loop {
                    if !browser::is_hidden() {
                        now.set(Some(browser::now()));
                    }
                    TimeoutFuture::new(TICK_MS).await;
                }
            });
        });
    }

    pub(crate) fn now(self) -> Option<Timestamp> {
        self.now.get()
    }

    /// Whether the browser has taken the page over; changes once, not each second.
    pub(crate) fn is_live(self) -> bool {
        self.is_live.get()
    }
}
