//! Find in log: the field and the buttons, and the keys in the field.

use super::finder::Finder;
use crate::components::icon::Icon;
use leptos::ev::KeyboardEvent;
use leptos::html::Input;
use leptos::leptos_dom::helpers::debounce;
use leptos::prelude::*;
use std::time::Duration;

/// After the last key, so that a word typed is one question.
const TYPING_PAUSE: Duration = Duration::from_millis(300);

#[component]
pub(super) fn LogSearch(finder: Finder) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let mut search_soon = debounce(TYPING_PAUSE, move |text: String| {
        // The log may have been left meanwhile.
        if finder.is_there() {
            finder.search_typed(text);
        }
    });
    let mut typed = move |text: String| {
        finder.type_in(text.clone());
        search_soon(text.trim().to_owned());
    };
    let drawn = finder.words_untracked();
    let kept = drawn.clone();
    Effect::new(move |_| {
        let early = input.get().map(|input| input.value()).unwrap_or_default();
        // What was looked for when the log was left is found again when one goes on.
        if early == kept {
            return;
        }
        // Typed before the page was live.
        if !early.is_empty() {
            finder.type_in(early.clone());
            finder.search(early.trim().to_owned());
        }
    });
    let on_key = move |event: KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            finder.step(!event.shift_key());
        }
    };
    view! {
        <div class="log-search" role="search">
            <input type="text" aria-label="Find in log" placeholder="Find in log" autocomplete="off" spellcheck="false"
                value=drawn node_ref=input on:input=move |event| typed(event_target_value(&event)) on:keydown=on_key />
            <span class="log-found" role="status">{move || finder.told()}</span>
            <button class="button is-icon" type="button" aria-label="Previous match" title="Previous match (N in the log)"
                on:click=move |_| finder.step(false)>
                <Icon name="up" />
            </button>
            <button class="button is-icon" type="button" aria-label="Next match" title="Next match (n in the log)"
                on:click=move |_| finder.step(true)>
                <Icon name="down" />
            </button>
            <button class="button" type="button" on:click=move |_| finder.find_error()>
                <Icon name="flag" />
                <span>"First error"</span>
            </button>
        </div>
    }
}
