//! The page's one clock.

use crate::browser;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;
use protocol::Timestamp;

/// Ages and running times are shown in whole seconds.
const TICK_MS: u32 = 1_000;

/// The server's time, each second: as it was when the page was drawn, until the page is live, so that both sides draw
/// the same.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    now: RwSignal<Option<Timestamp>>,
    is_live: RwSignal<bool>,
}

impl Clock {
    pub(crate) fn provide(drawn_at: Option<Timestamp>) {
        let (now, is_live) = (RwSignal::new(drawn_at), RwSignal::new(false));
        provide_context(Self { now, is_live });
        Effect::new(move |_| {
            is_live.set(true);
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

    pub(super) fn now_untracked(self) -> Option<Timestamp> {
        self.now.get_untracked()
    }

    /// Whether the browser has taken the page over; changes once, not each second.
    pub(crate) fn is_live(self) -> bool {
        self.is_live.get()
    }
}
