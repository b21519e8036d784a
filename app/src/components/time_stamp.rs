//! A moment: in UTC as the server draws it, in the reader's zone once the page is live, exact on hover.
//! To be called where drawing is tracked, so that it is drawn anew when the page comes alive.

use crate::html::{Child, Html, el};
use crate::poll::Clock;
use crate::{browser, words};
use leptos::prelude::AnyView;
use protocol::Timestamp;

pub(crate) fn time_stamp(at: Timestamp, clock: Clock) -> Html {
    let zone = clock.is_live().then(|| browser::zone_offset_minutes(at));
    el("time")
        .attr("datetime", at.to_string())
        .attr("title", words::exact_moment(at, zone))
        .child(words::moment(at, zone))
}

/// A moment that may not have come yet.
pub(crate) fn maybe_time_stamp(at: Option<Timestamp>, clock: Clock) -> AnyView {
    at.map_or_else(|| "–".drawn(), |at| time_stamp(at, clock).drawn())
}

/// How long it took, or has been taking so far; only then it counts on.
pub(crate) fn took(from: Option<Timestamp>, until: Option<Timestamp>, clock: Clock) -> String {
    let taken = from.and_then(|from| until.or_else(|| clock.now()).map(|until| until.since(from)));
    taken.map_or_else(|| "–".to_owned(), words::duration)
}
