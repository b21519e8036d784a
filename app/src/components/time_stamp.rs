//! A moment: in UTC as the server draws it, in the reader's zone once the page is live, exact on hover.

use crate::poll::Clock;
use crate::{browser, words};
use leptos::prelude::*;
use protocol::Timestamp;

#[component]
pub(crate) fn TimeStamp(#[prop(into)] at: Signal<Timestamp>) -> impl IntoView {
    let is_live = is_live();
    let zone = move || is_live.get().then(|| browser::zone_offset_minutes(at.get()));
    view! {
        <time datetime=move || at.get().to_string() title=move || words::exact_moment(at.get(), zone())>
            {move || words::moment(at.get(), zone())}
        </time>
    }
}

/// A moment that may not have come yet.
#[component]
pub(crate) fn MaybeTimeStamp(#[prop(into)] at: Signal<Option<Timestamp>>) -> impl IntoView {
    move || match at.get() {
        Some(at) => view! { <TimeStamp at /> }.into_any(),
        None => "–".into_any(),
    }
}

/// How long it took, or has been taking so far.
#[component]
pub(crate) fn Took(
    #[prop(into)] from: Signal<Option<Timestamp>>,
    #[prop(into)] until: Signal<Option<Timestamp>>,
) -> impl IntoView {
    let clock = expect_context::<Clock>();
    move || match (from.get(), until.get().or_else(|| clock.now())) {
        (Some(from), Some(until)) => words::duration(until.since(from)),
        _ => "–".to_owned(),
    }
}

/// False on the server and until the browser has taken the page over, so that both draw the same.
fn is_live() -> Memo<bool> {
    let clock = expect_context::<Clock>();
    Memo::new(move |_| clock.now().is_some())
}
