//! A labelled input with what is wrong about it right beside it, tied together for screen readers.

use leptos::html;
use leptos::prelude::*;

/// The frame of a field: label above, hint and error below. The input inside points at `{id}-note`.
#[component]
pub(crate) fn Field(
    id: &'static str,
    label: &'static str,
    #[prop(into)] error: Signal<Option<String>>,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field" data-invalid=move || error.with(Option::is_some).then_some("")>
            <label for=id>{label}</label>
            {children()}
            <p class="field-note" id=format!("{id}-note") role="alert">{move || error.get()}</p>
        </div>
    }
}

/// One of several; `options` are (value, words).
#[component]
pub(crate) fn Select(
    id: &'static str,
    name: &'static str,
    #[prop(into)] value: Signal<String>,
    #[prop(into)] options: Signal<Vec<(String, String)>>,
    #[prop(into)] is_invalid: Signal<bool>,
    on_choose: Callback<String>,
) -> impl IntoView {
    let choices = move || {
        let value = value.get();
        let choice = |(option, words): (String, String)| {
            let selected = option == value;
            view! { <option value=option selected=selected>{words}</option> }
        };
        options.get().into_iter().map(choice).collect_view()
    };
    let select = NodeRef::new();
    keep_chosen(select, options, value, on_choose);
    view! {
        <select id=id name=name node_ref=select aria-describedby=format!("{id}-note")
            aria-invalid=move || is_invalid.get().to_string()
            on:change=move |event| on_choose.run(event_target_value(&event))>
            {choices}
        </select>
    }
}

/// Keeps a list and what is chosen of it the same. What was chosen before the page was live is chosen.
pub(crate) fn keep_chosen(
    select: NodeRef<html::Select>,
    options: Signal<Vec<(String, String)>>,
    value: Signal<String>,
    on_choose: Callback<String>,
) {
    let drawn = value.get_untracked();
    Effect::new(move |was: Option<()>| {
        // Drawn anew, the list has forgotten what was chosen.
        options.track();
        let (Some(select), value) = (select.get(), value.get()) else { return };
        let chosen = select.value();
        if was.is_none() && chosen != drawn && chosen != value {
            on_choose.run(chosen);
        } else if chosen != value {
            select.set_value(&value);
        }
    });
}
