//! Which keys do what, in a dialog that `?` opens.

use super::modal::Modal;
use leptos::prelude::*;

/// (keys, what they do)
const KEYS: [(&str, &str); 8] = [
    ("/", "Search jobs"),
    ("?", "This list"),
    ("Esc", "Close a menu or a dialog"),
    ("← →", "From tab to tab"),
    ("Enter", "In \"Find in log\": to the next match"),
    ("Shift Enter", "In \"Find in log\": to the match before"),
    ("n  N", "In a log: to the next match, to the one before"),
    ("↑ ↓", "In a log: from line number to line number"),
];

#[component]
pub(crate) fn KeyboardHelp(is_open: RwSignal<bool>) -> impl IntoView {
    let key = |(keys, what): (&'static str, &'static str)| {
        view! {
            <div class="fact">
                <dt><kbd>{keys}</kbd></dt>
                <dd>{what}</dd>
            </div>
        }
    };
    view! {
        <Modal is_open title="Keyboard">
            <dl class="facts">{KEYS.map(key).into_iter().collect_view()}</dl>
            <div class="dialog-buttons">
                <button class="button" type="button" on:click=move |_| is_open.set(false)>"Close"</button>
            </div>
        </Modal>
    }
}
