//! Asks for one value and does something with it: a dialog around a form. It stays open until that has
//! worked, with what was wrong beside the field.

use super::field::Field;
use super::modal::Modal;
use crate::pending::Pending;
use leptos::html::Input;
use leptos::prelude::*;

/// What a dialog asks for.
pub(crate) struct Question {
    pub(crate) title: String,
    /// What it is good for.
    pub(crate) text: &'static str,
    pub(crate) label: &'static str,
    /// The value as it is now.
    pub(crate) value: String,
    /// Of the input: `text` or `password`.
    pub(crate) kind: &'static str,
    pub(crate) autocomplete: &'static str,
    /// On the button.
    pub(crate) confirm: &'static str,
}

/// Opens as soon as it is drawn.
#[component]
pub(crate) fn TextDialog(
    question: Question,
    #[prop(into)] error: Signal<Option<String>>,
    pending: Pending,
    on_submit: Callback<String>,
    on_close: Callback<()>,
) -> impl IntoView {
    let Question { title, text, label, value, kind, autocomplete, confirm } = question;
    let (is_open, input) = (RwSignal::new(true), NodeRef::<Input>::new());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get_untracked() {
            on_submit.run(input.value());
        }
    };
    view! {
        <Modal is_open title on_close>
            <p>{text}</p>
            <form on:submit=submit>
                <Field id="dialog-value" label error>
                    <input id="dialog-value" node_ref=input type=kind value=value autocomplete=autocomplete required
                        aria-describedby="dialog-value-note" spellcheck="false" autocapitalize="none" />
                </Field>
                <div class="dialog-buttons">
                    <button class="button" type="button" on:click=move |_| is_open.set(false)>"Cancel"</button>
                    <button class="button is-primary" type="submit" aria-disabled=move || pending.as_aria()>{confirm}</button>
                </div>
            </form>
        </Modal>
    }
}
