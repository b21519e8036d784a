//! What narrows the log: who, what, and of what. A form that works without scripts as well.

use super::url;
use crate::client::AuditQuery;
use crate::components::filter::{ChoiceFilter, TextFilter};
use crate::pages::narrowing;
use crate::paths;
use leptos::prelude::*;
use protocol::api::AuditAction;

/// What is noted, in words. What only a newer server notes is found by way of "Any".
pub(super) const ACTIONS: [(&str, &str); AuditAction::ALL.len()] = {
    let mut actions = [("", ""); AuditAction::ALL.len()];
    let mut at = 0;
    while at < actions.len() {
        actions[at] = (AuditAction::ALL[at].as_str(), words(AuditAction::ALL[at]));
        at += 1;
    }
    actions
};

const fn words(action: AuditAction) -> &'static str {
    match action {
        AuditAction::SubmitJob => "Job submitted",
        AuditAction::RerunJob => "Job run again",
        AuditAction::AbortJob => "Job aborted",
        AuditAction::DeleteJob => "Job deleted",
        AuditAction::CreateToken => "Token created",
        AuditAction::DeleteToken => "Token revoked",
        AuditAction::SignIn => "Signed in",
        AuditAction::SignInFailed => "Sign-in failed",
        AuditAction::SignOut => "Signed out",
        AuditAction::ChangePassword => "Own password changed",
        AuditAction::CreateUser => "User created",
        AuditAction::ChangeUser => "User changed",
        AuditAction::DeleteUser => "User deleted",
    }
}

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
