//! Who is signed in, and the way out. A plain form, so that signing out works before the page is live.

use leptos::prelude::*;

#[component]
pub(crate) fn AccountMenu(username: String, sign_out: &'static str) -> impl IntoView {
    view! {
        <form class="account-menu" method="post" action=sign_out>
            <span class="account-name" title="Signed in">{username}</span>
            <button class="button is-quiet" type="submit">"Sign out"</button>
        </form>
    }
}
