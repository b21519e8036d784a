//! Which keys do what, in a dialog that `?` opens.

use leptos::html::Dialog;
use leptos::prelude::*;

/// (keys, what they do)
const KEYS: [(&str, &str); 6] = [
    ("/", "Search jobs"),
    ("?", "This list"),
    ("Esc", "Close a menu or a dialog"),
    ("← →", "From tab to tab"),
    ("Enter", "In \"Find in log\": to the next match"),
    ("Shift Enter", "In \"Find in log\": to the match before"),
];

#[component]
pub(crate) fn KeyboardHelp(is_open: RwSignal<bool>) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        match (is_open.get(), dialog.open()) {
            (true, false) => {
                let _ = dialog.show_modal();
            }
            (false, true) => dialog.close(),
            _ => {}
        }
    });
    let key = |(keys, what): (&'static str, &'static str)| {
        view! {
            <div class="fact">
                <dt><kbd>{keys}</kbd></dt>
                <dd>{what}</dd>
            </div>
        }
    };
    view! {
        <dialog class="dialog" node_ref=dialog aria-label="Keyboard" on:close=move |_| is_open.set(false)>
            <h2>"Keyboard"</h2>
            <dl class="facts">{KEYS.map(key).into_iter().collect_view()}</dl>
            <div class="dialog-buttons">
                <button class="button" type="button" on:click=move |_| is_open.set(false)>"Close"</button>
            </div>
        </dialog>
    }
}
