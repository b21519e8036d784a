//! What the page has to say by itself: an alert when something is wrong, a status when something was done.

use crate::connection::Connection;
use leptos::prelude::*;

/// Interrupts a screen reader; nothing while there is nothing wrong.
#[component]
pub(crate) fn Alert(
    #[prop(into)] message: Signal<Option<String>>,
    /// For a field to point at.
    #[prop(optional)]
    id: Option<&'static str>,
) -> impl IntoView {
    view! {
        <div class="notice is-alert" role="alert" id=id hidden=move || message.with(Option::is_none)>
            {move || message.get()}
        </div>
    }
}

/// Says in passing what came of an action.
#[component]
pub(crate) fn StatusNote(#[prop(into)] message: Signal<Option<String>>) -> impl IntoView {
    view! {
        <p class="notice is-status" role="status" data-empty=move || message.with(Option::is_none).then_some("")>
            {move || message.get()}
        </p>
    }
}

#[component]
pub(crate) fn Loading(what: &'static str) -> impl IntoView {
    view! {
        <p class="loading" role="status">
            <span class="spinner" aria-hidden="true"></span>
            {what}
        </p>
    }
}

/// In place of content that could not be had. Goes away by itself when the server answers again, or the session lasts.
#[component]
pub(crate) fn Failure(title: &'static str, message: String, retry: Callback<()>) -> impl IntoView {
    let returns = expect_context::<Connection>().returns;
    Effect::new(move |before: Option<u32>| {
        let count = returns.get();
        if before.is_some_and(|before| before != count) {
            retry.run(());
        }
        count
    });
    view! {
        <section class="failure" role="alert">
            <h1>{title}</h1>
            <p>{message}</p>
            <button class="button" type="button" on:click=move |_| retry.run(())>"Try again"</button>
        </section>
    }
}
