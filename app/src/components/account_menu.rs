//! Who is signed in, what they can set, and the way out. A native disclosure and a plain form, so that signing out
//! works before the page is live.

use super::icon::Icon;
use super::menu::{close, close_from_outside};
use super::theme_switch::ThemeSwitch;
use crate::browser;
use leptos::html::Details;
use leptos::prelude::*;

#[component]
pub(crate) fn AccountMenu(
    username: String,
    account: &'static str,
    sign_out: &'static str,
    on_help: Callback<()>,
) -> impl IntoView {
    let menu = NodeRef::<Details>::new();
    close_from_outside(menu);
    let help = move |_| {
        close(menu);
        on_help.run(());
    };
    view! {
        <details class="menu account-menu" node_ref=menu>
            <summary class="button is-quiet">
                <Icon name="user" />
                <span class="account-name" title="Signed in">{username}</span>
                <Icon name="down" />
            </summary>
            <div class="menu-items">
                <a class="menu-item" href=account on:click=move |_| close(menu)>
                    <Icon name="key" />
                    "Account and tokens"
                </a>
                <button class="menu-item" type="button" aria-haspopup="dialog" on:click=help>
                    <Icon name="keyboard" />
                    "Keyboard "
                    <kbd aria-hidden="true">"?"</kbd>
                </button>
                <hr />
                <ThemeSwitch />
            </div>
        </details>
        <form class="sign-out" method="post" action=sign_out on:submit=|_| browser::forget_user()>
            <button class="button is-quiet is-icon" type="submit" aria-label="Sign out" title="Sign out">
                <Icon name="sign-out" />
            </button>
        </form>
    }
}
