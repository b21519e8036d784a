//! A moment: in the reader's zone, which the server knows from the second visit on (until then UTC), exact on
//! hover.

use crate::poll::Clock;
use crate::preferences::Preferences;
use crate::{browser, words};
use leptos::prelude::*;
use protocol::Timestamp;

#[component]
pub(crate) fn TimeStamp(at: Timestamp) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let before = expect_context::<Preferences>().offset_before(at);
    let zone = move || zone_of(at, clock, before);
    view! {
        <time datetime=at.to_string() title=move || words::exact_moment(at, zone())>
            {move || words::moment(at, zone())}
        </time>
    }
}

/// How long ago: `3 min ago`.
#[component]
pub(crate) fn Ago(at: Timestamp) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let before = expect_context::<Preferences>().offset_before(at);
    let zone = move || zone_of(at, clock, before);
    // Changes seldom, although the clock ticks each second.
    let told = Memo::new(move |_| match clock.now() {
        Some(now) => words::ago(now.since(at)),
        None => words::moment(at, zone()),
    });
    view! { <time datetime=at.to_string() title=move || words::exact_moment(at, zone())>{told}</time> }
}

/// Minutes east of UTC at that moment: the browser's, and until the page is live what it told at the visit before.
pub(crate) fn zone_of(at: Timestamp, clock: Clock, before: Option<i64>) -> Option<i64> {
    if clock.is_live() { Some(browser::zone_offset_minutes(at)) } else { before }
}

/// A moment that may not have come yet.
#[component]
pub(crate) fn MaybeTimeStamp(at: Option<Timestamp>) -> impl IntoView {
    at.map_or_else(|| "–".into_any(), |at| view! { <TimeStamp at /> }.into_any())
}

/// How long it took, or has been taking so far; only then it counts on.
pub(crate) fn took(from: Option<Timestamp>, until: Option<Timestamp>, clock: Clock) -> String {
    let taken = from.and_then(|from| until.or_else(|| clock.now()).map(|until| until.since(from)));
    taken.map_or_else(|| "–".to_owned(), words::duration)
}
