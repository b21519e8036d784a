//! What the page has to say by itself: an alert when something is wrong, a status when something was done.

use crate::html::{Html, el, live};
use leptos::prelude::*;

/// Interrupts a screen reader; nothing while there is nothing wrong.
pub(crate) fn alert(message: Signal<Option<String>>) -> Html {
    el("div")
        .class("notice is-alert")
        .attr("role", "alert")
        .attr_of("hidden", move || message.with(Option::is_none).then(String::new))
        .child(live(move || message.get()))
}

/// Says in passing what came of an action.
pub(crate) fn status_note(message: Signal<Option<String>>) -> Html {
    el("p")
        .class("notice is-status")
        .attr("role", "status")
        .attr_of("data-empty", move || message.with(Option::is_none).then(String::new))
        .child(live(move || message.get()))
}

pub(crate) fn loading(what: &'static str) -> Html {
    el("p").class("loading").child(el("span").class("spinner").attr("aria-hidden", "true")).child(what)
}

/// In place of content that could not be had.
pub(crate) fn failure(title: &'static str, message: String, retry: Callback<()>) -> Html {
    let again =
        el("button").class("button").attr("type", "button").on("click", move |_| retry.run(())).child("Try again");
    el("section")
        .class("failure")
        .attr("role", "alert")
        .child(el("h1").child(title))
        .child(el("p").child(message))
        .child(again)
}
