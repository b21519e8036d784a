//! One's own account: the password and the tokens with which scripts sign in.

use super::At;
use crate::client::{self, ClientError};
use crate::session::Session;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::Tokens;

mod new_token;
mod password;
mod token_list;

use password::PasswordPanel;
use token_list::TokenPanel;

type Found = Result<Tokens, ClientError>;

pub(crate) async fn load(_: At) -> Found {
    client::list_tokens().await
}

pub(crate) fn draw(seed: Found) -> AnyView {
    view! { <AccountPage seed /> }.into_any()
}

#[component]
fn AccountPage(seed: Found) -> impl IntoView {
    let user = expect_context::<Session>().user;
    let must_change = user.as_ref().is_some_and(|user| user.must_change_password);
    let username = user.map(|user| user.username).unwrap_or_default();
    // First what has to be done first, and nothing else beside it.
    let tokens = (!must_change).then(|| view! { <TokenPanel seed /> });
    view! {
        <Title text="Account" />
        <div class="is-column">
            <div class="page-head">
                <h1>"Account"</h1>
                <span class="muted">{format!("Signed in as {username}")}</span>
            </div>
            <PasswordPanel username must_change />
            {tokens}
        </div>
    }
}
