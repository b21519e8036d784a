//! One environment: how it is, what is known of it, and a check on demand.

use super::check::CheckNow;
use crate::components::facts::Fact;
use crate::components::status_badge::Badge;
use crate::components::time_stamp::TimeStamp;
use crate::words;
use leptos::prelude::*;
use protocol::api::{Environment, Health, SshHealth};

/// What is drawn once is drawn once; what a poll changes is drawn anew.
#[component]
pub(super) fn EnvironmentCard(environments: Signal<Vec<Environment>>, name: String) -> impl IntoView {
    let of = name.clone();
    let environment = Memo::new(move |last: Option<&Option<Environment>>| {
        let found = environments.with(|all| all.iter().find(|one| one.name == of).cloned());
        found.or_else(|| last.cloned().flatten())
    });
    let head = move || {
        environment.get().map(|Environment { health, since, .. }| {
            view! {
                <Badge status=health.as_str() word=words::health(health) />
                <span class="muted">"since " <TimeStamp at=since /></span>
            }
        })
    };
    let facts = move || environment.get().map(|environment| view! { <EnvironmentFacts environment /> });
    let title = format!("environment-{name}");
    let labelled_by = title.clone();
    view! {
        <section class="panel" aria-labelledby=labelled_by>
            <div class="panel-head">
                <h2 id=title>{name.clone()}</h2>
                {head}
                <CheckNow name />
            </div>
            <div class="panel-body">{facts}</div>
        </section>
    }
}

#[component]
fn EnvironmentFacts(environment: Environment) -> impl IntoView {
    let Environment { url, health, last_error, slots, busy, waiting, ssh, ssh_error, host_key, .. } = environment;
    let number = |number: Option<u32>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
    let slots = format!("{} of {} busy, {} waiting", number(busy), number(slots), number(waiting));
    // What was wrong once is no news while all is well.
    let error = last_error.flatten().filter(|_| health != Health::Ok);
    let ssh_error = ssh_error.flatten().filter(|_| ssh != SshHealth::Ok);
    let note = |error: Option<String>| error.map(|error| view! { <p class="field-note">{error}</p> });
    let (ssh_status, ssh_word) = ssh_words(ssh);
    view! {
        <dl class="facts is-flat">
            <Fact name="Address"><code>{url.unwrap_or_else(|| "–".to_owned())}</code>{note(error)}</Fact>
            <Fact name="Slots">{slots}</Fact>
            <Fact name="SSH"><Badge status=ssh_status word=ssh_word />{note(ssh_error)}</Fact>
            <Fact name="SSH host key"><code>{host_key.flatten().unwrap_or_else(|| "not seen yet".to_owned())}</code></Fact>
        </dl>
    }
}

/// The status whose colour and shape it has, and the word.
const fn ssh_words(ssh: SshHealth) -> (&'static str, &'static str) {
    match ssh {
        SshHealth::Ok => ("ok", "Works"),
        SshHealth::Failing => ("failed", "Failing"),
        SshHealth::Unknown => ("unknown", "Not used yet"),
    }
}
