//! The bar at the top of every view: where one is, and who.

use leptos::prelude::*;

#[component]
pub(crate) fn Header(home: &'static str, account: AnyView) -> impl IntoView {
    view! {
        <header class="header">
            <a class="brand" href=home>
                <svg class="brand-mark" width="24" height="24" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                    <path d="M3 7.5 12 3l9 4.5v9L12 21l-9-4.5z" />
                    <path class="brand-check" d="m8 12 3 3 5.5-6" />
                </svg>
                "TestArena"
            </a>
            {account}
        </header>
    }
}
