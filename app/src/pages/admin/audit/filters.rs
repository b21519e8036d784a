//! What narrows the log: who, what, and of what. A form that works without scripts as well.

use super::url;
use crate::client::AuditQuery;
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
    let change = move |apply: fn(&mut AuditQuery, String)| {
        move |event: leptos::ev::Event| {
            let mut next = query.get_untracked();
            // Another question begins at its own first page.
            next.cursor.clear();
            apply(&mut next, event_target_value(&event).trim().to_owned());
            go.run(next);
        }
    };
    let choices = move || {
        let chosen = query.with(|query| query.action.clone());
        let choice = |(action, words): &(&'static str, &'static str)| {
            view! { <option value=*action selected=*action == chosen>{*words}</option> }
        };
        let known = ACTIONS.iter().map(choice).collect_view();
        // A link may name one that is not in the list.
        let other = (!chosen.is_empty() && ACTIONS.iter().all(|(action, _)| *action != chosen))
            .then(|| view! { <option value=chosen.clone() selected>{chosen.clone()}</option> });
        (known, other)
    };
    view! {
        <form class="filters" role="search" aria-label="Audit log" method="get" action=paths::ADMIN_AUDIT
            on:submit=|event| event.prevent_default()>
            <div class="field">
                <label for="audit-actor">"Who"</label>
                <input id="audit-actor" name="actor" type="text" placeholder="User name" autocomplete="off" spellcheck="false"
                    autocapitalize="none" value=query.with_untracked(|query| query.actor.clone())
                    prop:value=move || query.with(|query| query.actor.clone())
                    on:change=change(|query, value| query.actor = value) />
            </div>
            <div class="field">
                <label for="audit-action">"What"</label>
                <select id="audit-action" name="action" prop:value=move || query.with(|query| query.action.clone())
                    on:change=change(|query, value| query.action = value)>
                    <option value="">"Any"</option>
                    {choices}
                </select>
            </div>
            <div class="field">
                <label for="audit-object">"Of"</label>
                <input id="audit-object" name="object" type="text" placeholder="job:42, user:3" autocomplete="off"
                    spellcheck="false" autocapitalize="none" value=query.with_untracked(|query| query.object.clone())
                    prop:value=move || query.with(|query| query.object.clone())
                    on:change=change(|query, value| query.object = value) />
            </div>
            <button class="button only-without-scripts" type="submit">"Apply"</button>
        </form>
    }
}
