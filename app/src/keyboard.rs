//! The keys that work everywhere. None of them while something is typed or asked, or with a modifier, which are others'
//! keys.

use crate::browser;
use leptos::ev;
use leptos::prelude::*;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};

/// `/` goes to the search of the view or of the header, `?` opens the list of keys.
pub(crate) fn listen(helps: RwSignal<bool>) {
    Effect::new(move |_| {
        let pressed = window_event_listener(ev::keydown, move |event| {
            if event.default_prevented() || has_modifier(&event) || is_typing(&event) || browser::has_dialog() {
                return;
            }
            match event.key().as_str() {
                "/" => browser::focus_search(),
                "?" => helps.set(true),
                _ => return,
            }
            event.prevent_default();
        });
        on_cleanup(move || pressed.remove());
    });
}

fn has_modifier(event: &KeyboardEvent) -> bool {
    event.ctrl_key() || event.alt_key() || event.meta_key()
}

fn is_typing(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    target.is_some_and(|target| {
        matches!(target.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT") || target.is_content_editable()
    })
}
