//! What opens under a button: a native disclosure, so that it works before the page is live. Closes by Escape, by a
//! click elsewhere, and when something in it was chosen.

use super::icon::Icon;
use leptos::html::Details;
use leptos::prelude::*;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{HtmlDetailsElement, HtmlElement, Node};

/// Seldom actions behind one button; its items have the class `menu-item`.
#[component]
pub(crate) fn Menu(
    #[prop(into)] label: String,
    /// Of the button.
    #[prop(default = "button is-icon")]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let menu = NodeRef::<Details>::new();
    close_from_outside(menu);
    let title = label.clone();
    view! {
        <details class="menu" node_ref=menu>
            <summary class=class aria-label=label title=title>
                <Icon name="more" />
            </summary>
            <div class="menu-items" on:click=move |_| close(menu)>{children()}</div>
        </details>
    }
}

pub(crate) fn close(menu: NodeRef<Details>) {
    if let Some(menu) = menu.get_untracked() {
        shut(&menu);
    }
}

/// The focus goes back to what opened it: what has it now can no longer be seen.
fn shut(details: &HtmlDetailsElement) {
    details.set_open(false);
    if let Ok(Some(summary)) = details.query_selector("summary") {
        let _ = summary.unchecked_into::<HtmlElement>().focus();
    }
}

/// Escape gives the focus back to what opened it; a click elsewhere leaves it where it goes.
pub(crate) fn close_from_outside(menu: NodeRef<Details>) {
    Effect::new(move |_| {
        let Some(details) = menu.get() else { return };
        let clicked = {
            let details = details.clone();
            window_event_listener(leptos::ev::pointerdown, move |event| {
                let target = event.target().and_then(|target| target.dyn_into::<Node>().ok());
                if !details.contains(target.as_ref()) {
                    details.set_open(false);
                }
            })
        };
        let pressed = window_event_listener(leptos::ev::keydown, move |event| {
            if event.key() == "Escape" && details.open() {
                shut(&details);
            }
        });
        on_cleanup(move || {
            clicked.remove();
            pressed.remove();
        });
    });
}
