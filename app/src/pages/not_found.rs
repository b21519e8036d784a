//! For a URL that leads nowhere.

use crate::{answer, paths};
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    answer::status(404);
    view! {
        <Title text="Not found" />
        <section class="failure">
            <h1>"Page not found"</h1>
            <p>"There is nothing at this address. It may be mistyped, or what was here is gone."</p>
            <a class="button is-primary" href=paths::HOME>"To the jobs"</a>
        </section>
    }
}
