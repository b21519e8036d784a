//! What is asked about the server itself: whether it is back, and whether it is still the one that this page is of.

use super::pause;
use crate::browser;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};

/// For what changes once in weeks.
const SELDOM_MS: u32 = 15 * 60 * 1_000;

/// Asks again and again while `is_wanted`, with growing pauses.
pub(crate) fn while_true<Asking: Future<Output = ()> + 'static>(is_wanted: Memo<bool>, ask: fn() -> Asking) {
    Effect::new(move |_| {
        if !is_wanted.get() {
            return;
        }
        spawn_local_scoped_with_cancellation(async move {
            let mut failures = 0;
            loop {
                TimeoutFuture::new(pause(failures, browser::random())).await;
                failures += 1;
                if !browser::is_hidden() {
                    ask().await;
                }
            }
        });
    });
}

/// Until something that failed is tried again.
#[cfg(not(feature = "ssr"))]
pub(crate) async fn a_while() {
    TimeoutFuture::new(pause(0, browser::random())).await;
}

/// Asks every quarter of an hour while somebody looks, and at once when `is_ill` is over or somebody comes back to the
/// tab: they may have signed in as another in the one before.
pub(crate) fn now_and_then<Asking: Future<Output = ()> + 'static>(
    is_ill: Memo<bool>,
    ask: impl Fn() -> Asking + Copy + 'static,
) {
    Effect::new(move |_| {
        let shown = window_event_listener_untyped("visibilitychange", move |_| {
            if !browser::is_hidden() {
                spawn_local(ask());
            }
        });
        on_cleanup(move || shown.remove());
    });
    Effect::new(move |was_ill: Option<bool>| {
        let is_ill = is_ill.get();
        spawn_local_scoped_with_cancellation(async move {
            if was_ill == Some(true) && !is_ill {
                ask().await;
            }
            loop {
                TimeoutFuture::new(SELDOM_MS).await;
                if !browser::is_hidden() {
                    ask().await;
                }
            }
        });
        is_ill
    });
}
