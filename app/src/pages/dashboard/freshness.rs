//! How old what is shown is: nothing while it is fresh, its age when the remote server has been silent,
//! an alert when our own server can't be reached. Goes away by itself.

use crate::boxed::memo;
use crate::client::ClientError;
use crate::components::notice::alert;
use crate::html::{Child, el, live};
use crate::poll::Clock;
use crate::{browser, words};
use leptos::prelude::*;
use protocol::Timestamp;
use std::time::Duration;

/// Three rounds of a poller at its usual interval; until then silence is nothing to speak of.
const OLD: Duration = Duration::from_mins(1);

pub(crate) fn freshness(
    synced_at: Signal<Option<Timestamp>>,
    trouble: Signal<Option<ClientError>>,
    answered_at: Signal<Option<Timestamp>>,
) -> AnyView {
    let clock = expect_context::<Clock>();
    let problem = Signal::derive(move || {
        trouble.get()?;
        let at = answered_at.get()?;
        let shown = words::exact_moment(at, Some(browser::zone_offset_minutes(at)));
        Some(format!("Can't reach the server. What is shown is from {shown}. Trying again every few seconds."))
    });
    let age = memo(move || {
        let age = clock.now()?.since(synced_at.get()?);
        (age >= OLD).then(|| words::age(age))
    });
    let words =
        live(move || age.get().map(|age| format!("As of {age} ago: the remote test server has been silent since.")));
    let old = el("p").class("age").attr_of("hidden", move || age.with(Option::is_none).then(String::new)).child(words);
    vec![alert(problem), old].drawn()
}
