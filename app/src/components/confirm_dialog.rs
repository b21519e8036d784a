//! Asks before something that can't be undone. The browser's own modal dialog: focus stays in it, Escape leaves it.

use leptos::html::Dialog;
use leptos::prelude::*;

#[component]
pub(crate) fn ConfirmDialog(
    /// Opens while true.
    is_open: RwSignal<bool>,
    title: String,
    /// What will happen.
    text: &'static str,
    /// On the button that does it.
    confirm: &'static str,
    on_confirm: Callback<()>,
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
    let confirmed = move |_| {
        is_open.set(false);
        on_confirm.run(());
    };
    let label = title.clone();
    let text_id = format!("about-{}", confirm.to_lowercase().replace(' ', "-"));
    view! {
        <dialog class="dialog" node_ref=dialog aria-label=label aria-describedby=text_id on:close=move |_| is_open.set(false)>
            <h2>{title}</h2>
            <p id=text_id.clone()>{text}</p>
            <div class="dialog-buttons">
                <button class="button" type="button" on:click=move |_| is_open.set(false)>"Cancel"</button>
                <button class="button is-danger" type="button" on:click=confirmed>{confirm}</button>
            </div>
        </dialog>
    }
}
