//! What narrows the log: who, what, and of what. A form that works without scripts as well.

use super::url;
use crate::client::AuditQuery;
use crate::components::filter::{ChoiceFilter, TextFilter};
use crate::pages::narrowing;
use crate::paths;
use leptos::prelude::*;

/// What is noted, in words; one that is missing here is found by way of "Any".
pub(super) const ACTIONS: [(&str, &str); 13] = [
    ("job.submit", "Job submitted"),
    ("job.rerun", "Job run again"),
    ("job.abort", "Job aborted"),
    ("job.delete", "Job deleted"),
    ("token.create", "Token created"),
    ("token.delete", "Token revoked"),
    ("user.sign_in", "Signed in"),
    ("user.sign_in_failed", "Sign-in failed"),
    ("user.sign_out", "Signed out"),
    ("user.password", "Own password changed"),
    ("user.create", "User created"),
    ("user.update", "User changed"),
    ("user.delete", "User deleted"),
];

#[component]
pub(super) fn AuditFilters(query: Memo<AuditQuery>) -> impl IntoView {
    // Another question begins at its own first page.
    let change = narrowing(query, |query| url(&AuditQuery { cursor: String::new(), ..query.clone() }));
    view! {
        <form class="filters" role="search" aria-label="Audit log" method="get" action=paths::ADMIN_AUDIT
            on:submit=|event| event.prevent_default()>
            <TextFilter name="actor" label="Who" kind="text" hint="User name"
                value=Signal::derive(move || query.with(|query| query.actor.clone()))
                on_change=change(|query, value| query.actor = value) />
            <ChoiceFilter name="action" label="What"
                options=Signal::stored(ACTIONS.map(|(action, words)| (action.to_owned(), words.to_owned())).to_vec())
                value=Signal::derive(move || query.with(|query| query.action.clone()))
                on_change=change(|query, value| query.action = value) />
            <TextFilter name="object" label="Of" kind="text" hint="job:42, user:3"
                value=Signal::derive(move || query.with(|query| query.object.clone()))
                on_change=change(|query, value| query.object = value) />
            <button class="button only-without-scripts" type="submit">"Apply"</button>
        </form>
    }
}
