//! What time it is at the server, and in which zone the reader lives.

use super::set_cookie;
use crate::preferences::ZONE;
use crate::zone::Zone;
use leptos::prelude::Effect;
use protocol::Timestamp;
use std::cell::Cell;

/// What the browser's clock is off by, in milliseconds, that it is worth to be minded: the server tells whole seconds,
/// and an answer is under way for a while.
#[cfg(not(feature = "ssr"))]
const WORTH_MINDING_MS: i64 = 2_000;

/// The longest that a page may be on its way until it is live, and not be thought of as a clock that is off.
#[cfg(not(feature = "ssr"))]
const WAY_MS: i64 = 60_000;

thread_local! {
    /// To be added to the browser's clock to have the server's.
    static BEHIND_MS: Cell<i64> = const { Cell::new(0) };
}

/// By the server's clock, as far as it is known: a reader's own may be an hour off.
pub(crate) fn now() -> Timestamp {
    Timestamp(own_now() + BEHIND_MS.get())
}

#[expect(clippy::cast_possible_truncation, reason = "whole milliseconds, far below 2^53")]
fn own_now() -> i64 {
    js_sys::Date::now() as i64
}

/// What time it is at the server, as its latest answer said.
#[cfg(not(feature = "ssr"))]
pub(crate) fn set_clock(server: Timestamp) {
    let behind = server.0 - own_now();
    if (behind - BEHIND_MS.get()).abs() > WORTH_MINDING_MS {
        BEHIND_MS.set(behind);
    }
}

/// What time it was there when the page was drawn, which took its way since.
#[cfg(not(feature = "ssr"))]
pub(crate) fn set_clock_roughly(drawn: Timestamp) {
    if (drawn.0 - own_now()).abs() > WAY_MS {
        set_clock(drawn);
    }
}

/// Minutes that the reader's zone was east of UTC at that moment.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "minutes of a day; times far below 2^53"
)]
pub(crate) fn zone_offset_minutes(at: Timestamp) -> i64 {
    let date = js_sys::Date::new(&(at.0 as f64).into());
    -(date.get_timezone_offset() as i64)
}

/// So that the server's next page tells the reader's own time.
pub(crate) fn remember_zone() {
    Effect::new(|_| {
        let zone = Zone::around(now(), |minutes| zone_offset_minutes(Timestamp(minutes * 60_000)));
        set_cookie(ZONE, Some(&zone.to_cookie()));
    });
}
