//! What narrows the log: who, what, and of what. A form that works without scripts as well.

use super::url;
use crate::client::AuditQuery;
use crate::components::filter::{ChoiceFilter, TextFilter};
use crate::paths;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

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
    let navigate = use_navigate();
    let go = Callback::new(move |query: AuditQuery| {
        navigate(&url(&query), NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    });
    // The address follows a moment later, and what was typed in several fields before the page was live comes at once.
    let wanted = StoredValue::new(query.get_untracked());
    Effect::new(move |_| wanted.set_value(query.get()));
    let change = move |apply: fn(&mut AuditQuery, String)| {
        Callback::new(move |value: String| {
            let mut next = wanted.get_value();
            // Another question begins at its own first page.
            next.cursor.clear();
            apply(&mut next, value.trim().to_owned());
            wanted.set_value(next.clone());
            go.run(next);
        })
    };
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
