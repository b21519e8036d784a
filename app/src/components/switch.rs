//! Something that is on or off, at once.

use crate::html::{Html, el};
use leptos::prelude::*;

pub(crate) fn switch(label: &'static str, is_on: RwSignal<bool>) -> Html {
    el("button")
        .class("switch")
        .attr("type", "button")
        .attr("role", "switch")
        .attr_of("aria-checked", move || Some(is_on.get().to_string()))
        .on("click", move |_| is_on.update(|is_on| *is_on = !*is_on))
        .child(el("span").class("switch-track").attr("aria-hidden", "true"))
        .child(label)
}
