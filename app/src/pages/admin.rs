//! What only administrators see: users, environments and the audit log. Here: what everybody else is told.

use crate::client::ClientError;
use crate::components::notice::Failure;
use crate::paths;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::ErrorCode;

pub(crate) mod audit;
pub(crate) mod environments;
pub(crate) mod users;

/// In place of a view of this room that can't be had.
#[component]
fn Unshown(title: &'static str, error: ClientError, retry: Callback<()>) -> impl IntoView {
    if error.is(ErrorCode::Forbidden) {
        return view! { <NotAllowed /> }.into_any();
    }
    view! { <Title text=title /><Failure title message=error.message() retry /> }.into_any()
}

#[component]
fn NotAllowed() -> impl IntoView {
    crate::visit::answer_with(ErrorCode::Forbidden.status());
    view! {
        <Title text="Not allowed" />
        <section class="failure">
            <h1>"Only administrators can open this"</h1>
            <p>"Ask one of them, if you need something from here."</p>
            <a class="button is-primary" href=paths::HOME>"To the jobs"</a>
        </section>
    }
}
