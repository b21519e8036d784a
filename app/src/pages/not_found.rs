//! For a URL that leads nowhere.

use crate::{paths, visit};
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    visit::answer_with(404);
    view! {
        <Title text="Not found" />
        <section class="failure">
            <h1>"Page not found"</h1>
            <p>"There is nothing at this address. It may be mistyped, or what was here is gone."</p>
            <a class="button is-primary" href=paths::HOME>"To the jobs"</a>
        </section>
    }
}
