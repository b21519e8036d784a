//! The fields of a form that narrows a list. What they hold is in the URL; what was typed or chosen before the page was
//! live counts as well.

use super::field::keep_chosen;
use leptos::html::{Input, Select};
use leptos::leptos_dom::helpers::debounce;
use leptos::prelude::*;
use std::time::Duration;

/// After the last key, so that a word typed is one question.
const TYPING_PAUSE: Duration = Duration::from_millis(250);

#[component]
pub(crate) fn TextFilter(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    hint: &'static str,
    value: Signal<String>,
    on_change: Callback<String>,
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let is_typing = StoredValue::new(false);
    let mut typed = debounce(TYPING_PAUSE, move |text| {
        let _ = is_typing.try_set_value(false);
        // Nobody listens any more when the list was left meanwhile.
        let _ = on_change.try_run(text);
    });
    // Back and forward change the URL under the field; what is just being typed is never overwritten.
    Effect::new(move |had: Option<bool>| {
        let (Some(input), value) = (input.get(), value.get()) else { return false };
        if !had.unwrap_or_default() && input.value() != value {
            // Typed before the page was live.
            let _ = on_change.try_run(input.value());
            return true;
        }
        // White space at its end may be the beginning of the next word.
        if !is_typing.get_value() && input.value().trim() != value {
            input.set_value(&value);
        }
        true
    });
    view! {
        <div class="field">
            <label for=format!("filter-{name}")>{label}</label>
            <input id=format!("filter-{name}") node_ref=input name=name type=kind placeholder=hint autocomplete="off"
                autocapitalize="none" spellcheck="false" value=value.get_untracked()
                on:input=move |event| {
                    is_typing.set_value(true);
                    typed(event_target_value(&event));
                } />
        </div>
    }
}

#[component]
pub(crate) fn ChoiceFilter(
    name: &'static str,
    label: &'static str,
    options: Signal<Vec<(String, String)>>,
    value: Signal<String>,
    on_change: Callback<String>,
) -> impl IntoView {
    let select = NodeRef::<Select>::new();
    keep_chosen(select, options, value, on_change);
    let choices = move || {
        let (value, mut options) = (value.get(), options.get());
        // A link may name one that is not in the list.
        if !value.is_empty() && options.iter().all(|(option, _)| *option != value) {
            options.push((value.clone(), value.clone()));
        }
        let choice = |(option, words): (String, String)| {
            let selected = option == value;
            view! { <option value=option selected=selected>{words}</option> }
        };
        options.into_iter().map(choice).collect_view()
    };
    view! {
        <div class="field">
            <label for=format!("filter-{name}")>{label}</label>
            <select id=format!("filter-{name}") name=name node_ref=select
                on:change=move |event| on_change.run(event_target_value(&event))>
                <option value="">"Any"</option>
                {choices}
            </select>
        </div>
    }
}
