//! A labelled input with what is wrong about it right beside it, tied together for screen readers.

use crate::html::{Child, Html, el, live};
use leptos::prelude::*;

/// The frame of a field: label above, hint and error below. The input inside points at `{id}-note`.
pub(crate) fn field(id: &'static str, label: &'static str, error: RwSignal<Option<String>>, input: impl Child) -> Html {
    let note = el("p").class("field-note").attr("id", format!("{id}-note")).child(live(move || error.get()));
    el("div")
        .class("field")
        .attr_of("data-invalid", move || error.with(Option::is_some).then(String::new))
        .child(el("label").attr("for", id).child(label))
        .child(input)
        .child(note)
}

/// One of several; `options` are (value, words).
pub(crate) fn select(
    id: &'static str,
    name: &'static str,
    value: Signal<String>,
    options: Signal<Vec<(String, String)>>,
    on_choose: Callback<String>,
) -> Html {
    let choices = move || {
        let value = value.get();
        let choice = |(option, words): (String, String)| {
            let is_selected = option == value;
            el("option").attr("value", option).attr_if("selected", is_selected.then_some("")).child(words)
        };
        options.get().into_iter().map(choice).collect::<Vec<_>>()
    };
    let chosen = move || {
        options.track();
        value.get()
    };
    el("select")
        .attr("id", id)
        .attr("name", name)
        .attr("aria-describedby", format!("{id}-note"))
        .value_of(chosen)
        .on("change", move |event| on_choose.run(event_target_value(&event)))
        .child(live(choices))
}
