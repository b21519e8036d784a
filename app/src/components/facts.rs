//! Names and values side by side: what there is to know about something.

use leptos::prelude::*;

pub(crate) fn facts(facts: impl IntoView) -> impl IntoView {
    view! { <dl class="facts">{facts}</dl> }
}

pub(crate) fn fact(name: &'static str, value: impl IntoView) -> impl IntoView {
    view! {
        <div class="fact">
            <dt>{name}</dt>
            <dd>{value}</dd>
        </div>
    }
}
