//! Asks before something that can't be undone. The browser's own modal dialog: focus stays in it, Escape leaves it.

use crate::boxed::effect;
use crate::html::{ElementRef, Html, el};
use leptos::prelude::*;
use web_sys::HtmlDialogElement;
use web_sys::wasm_bindgen::JsCast;

/// Open while `is_open` is true. `text` tells what will happen, `confirm` stands on the button that does it.
pub(crate) fn confirm_dialog(
    is_open: RwSignal<bool>,
    title: String,
    text: &'static str,
    confirm: &'static str,
    on_confirm: Callback<()>,
) -> Html {
    let dialog = ElementRef::new();
    effect(move || {
        let Some(dialog) = dialog.get().and_then(|dialog| dialog.dyn_into::<HtmlDialogElement>().ok()) else { return };
        match (is_open.get(), dialog.open()) {
            (true, false) => {
                let _ = dialog.show_modal();
            }
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    let confirmed = move |_| {
        is_open.set(false);
        on_confirm.run(());
    };
    let cancel =
        el("button").class("button").attr("type", "button").on("click", move |_| is_open.set(false)).child("Cancel");
    let confirm = el("button").class("button is-danger").attr("type", "button").on("click", confirmed).child(confirm);
    el("dialog")
        .class("dialog")
        .element_ref(dialog)
        .attr("aria-label", title.clone())
        .on("close", move |_| is_open.set(false))
        .child(el("h2").child(title))
        .child(el("p").child(text))
        .child(el("div").class("dialog-buttons").child(cancel).child(confirm))
}
