//! How old what is shown is: nothing while it is fresh, the age of the oldest when a remote server has been silent, an
//! alert when our own server refuses to tell. What is wrong with the whole page says the banner. Goes away by itself.

use crate::client::ClientError;
use crate::components::notice::Alert;
use crate::poll::Clock;
use crate::{browser, words};
use leptos::prelude::*;
use protocol::Timestamp;
use std::time::Duration;

/// Three rounds of a poller at its usual interval; until then silence is nothing to speak of.
const OLD: Duration = Duration::from_mins(1);

#[component]
pub(crate) fn Freshness(
    #[prop(into)] synced_at: Signal<Option<Timestamp>>,
    #[prop(into)] trouble: Signal<Option<ClientError>>,
    #[prop(into)] answered_at: Signal<Option<Timestamp>>,
) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let alert = Signal::derive(move || {
        let trouble = trouble.get().filter(|trouble| !trouble.is_told_by_banner())?;
        let at = answered_at.get()?;
        let shown = words::exact_moment(at, Some(browser::zone_offset_minutes(at)));
        Some(format!("{} What is shown is from {shown}.", trouble.message()))
    });
    let age = Memo::new(move |_| {
        let synced_at = synced_at.get()?;
        // While our own server is away nobody can tell how the remote ones fare.
        let (age, silence) = (clock.now()?.since(synced_at), answered_at.get()?.since(synced_at));
        (age.min(silence) >= OLD).then(|| words::age(age))
    });
    view! {
        <Alert message=alert />
        <p class="age" hidden=move || age.with(Option::is_none)>
            {move || age.get().map(|age| format!("Some of it is from {age} ago: a remote test server has been silent since."))}
        </p>
    }
}
