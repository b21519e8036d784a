//! Something that is on or off, at once.

use leptos::prelude::*;

#[component]
pub(crate) fn Switch(label: &'static str, is_on: RwSignal<bool>) -> impl IntoView {
    view! {
        <button class="switch" type="button" role="switch" aria-checked=move || is_on.get().to_string()
            on:click=move |_| is_on.update(|is_on| *is_on = !*is_on)>
            <span class="switch-track" aria-hidden="true"></span>
            {label}
        </button>
    }
}
