//! Asks before something that can't be undone.

use super::modal::Modal;
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
    let confirmed = move |_| {
        is_open.set(false);
        on_confirm.run(());
    };
    let text_id = format!("about-{}", confirm.to_ascii_lowercase().replace(' ', "-"));
    view! {
        <Modal is_open title described_by=text_id.clone()>
            <p id=text_id>{text}</p>
            <div class="dialog-buttons">
                <button class="button" type="button" on:click=move |_| is_open.set(false)>"Cancel"</button>
                <button class="button is-danger" type="button" on:click=confirmed>{confirm}</button>
            </div>
        </Modal>
    }
}
