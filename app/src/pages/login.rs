//! The sign-in view: a plain form, so that it works before the page is live, and without JavaScript at all.

use crate::components::notice::Alert;
use crate::paths;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

#[component]
pub(crate) fn LoginPage() -> impl IntoView {
    let query = use_query_map();
    let next = move || query.with(|query| query.get_str("next").unwrap_or(paths::HOME).to_owned());
    let error = Signal::derive(move || query.with(|query| query.get_str("error").map(reason)));
    view! {
        <Title text="Sign in" />
        <section class="login">
            <h1>"Sign in"</h1>
            <Alert message=error />
            <form method="post" action=paths::LOGIN>
                <input type="hidden" name="next" value=next />
                <div class="field">
                    <label for="username">"Username"</label>
                    <input id="username" name="username" type="text" autocomplete="username" autocapitalize="none"
                        spellcheck="false" maxlength="32" required autofocus />
                </div>
                <div class="field">
                    <label for="password">"Password"</label>
                    <input id="password" name="password" type="password" autocomplete="current-password"
                        maxlength="256" required />
                </div>
                <button class="button is-primary is-wide" type="submit">"Sign in"</button>
            </form>
        </section>
    }
}

/// The API's error code, as the form's answer hands it back, in words.
fn reason(code: &str) -> String {
    match code {
        "rate_limited" => "Too many attempts. Wait a minute, then try again.",
        "cross_site" => "This form was sent from another site. Try again from here.",
        "unavailable" | "internal" => "The server can't check the sign-in right now. Try again in a moment.",
        _ => "User name or password is wrong.",
    }
    .to_owned()
}
