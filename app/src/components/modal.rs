//! The browser's own modal dialog: focus stays in it, Escape leaves it.

use leptos::html::Dialog;
use leptos::prelude::*;

#[component]
pub(crate) fn Modal(
    /// Opens while true.
    is_open: RwSignal<bool>,
    #[prop(into)] title: String,
    /// The id of what says more.
    #[prop(optional, into)]
    described_by: Option<String>,
    #[prop(optional)] on_close: Option<Callback<()>>,
    children: Children,
) -> impl IntoView {
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
    let closed = move |_| {
        is_open.set(false);
        if let Some(on_close) = on_close {
            on_close.run(());
        }
    };
    let label = title.clone();
    view! {
        <dialog class="dialog" node_ref=dialog aria-label=label aria-describedby=described_by on:close=closed>
            <h2>{title}</h2>
            {children()}
        </dialog>
    }
}
