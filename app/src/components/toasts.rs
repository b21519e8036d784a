//! What came of an action, said in a corner and to screen readers, and gone again after a while.

use super::icon::Icon;
use leptos::prelude::*;
use std::time::Duration;

/// Long enough to read two sentences twice.
const SHOWN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
pub(crate) struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    /// Of the next one: none is given twice, since its time is up by its number.
    next: StoredValue<u64>,
}

#[derive(Clone)]
struct Toast {
    number: u64,
    text: String,
    is_failure: bool,
}

impl Toasts {
    pub(crate) fn provide() {
        provide_context(Self { shown: RwSignal::new(Vec::new()), next: StoredValue::new(0) });
    }

    /// May be kept and called when the view that took it is gone.
    pub(crate) fn of_context() -> Self {
        expect_context()
    }

    pub(crate) fn done(self, text: impl Into<String>) {
        self.add(text.into(), false);
    }

    /// Of something that was asked for in a view that has been left since.
    pub(crate) fn failed(self, text: impl Into<String>) {
        self.add(text.into(), true);
    }

    fn add(self, text: String, is_failure: bool) {
        let number = self.next.get_value();
        self.next.set_value(number + 1);
        self.shown.update(|toasts| toasts.push(Toast { number, text, is_failure }));
        set_timeout(move || self.drop(number), SHOWN);
    }

    fn drop(self, number: u64) {
        self.shown.update(|toasts| toasts.retain(|toast| toast.number != number));
    }
}

#[component]
pub(crate) fn ToastList() -> impl IntoView {
    let toasts = Toasts::of_context();
    let toast = move |Toast { number, text, is_failure }: Toast| {
        let (status, icon) = if is_failure { ("failed", "warning") } else { ("passed", "check") };
        view! {
            <div class="toast" data-status=status>
                <Icon name=icon />
                <p>{text}</p>
                <button class="button is-quiet is-icon is-small" type="button" aria-label="Dismiss"
                    on:click=move |_| toasts.drop(number)>
                    <Icon name="close" />
                </button>
            </div>
        }
    };
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || toasts.shown.get() key=|toast| toast.number children=toast />
        </div>
    }
}
