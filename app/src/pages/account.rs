//! One's own account: the password and the tokens with which scripts sign in.

use super::{At, Seed};
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

pub(crate) struct Account {
    tokens: Result<Tokens, ClientError>,
}

impl Seed for Account {
    fn error(&self) -> Option<&ClientError> {
        self.tokens.as_ref().err()
    }
}

pub(crate) async fn load(_: At) -> Account {
    Account { tokens: client::list_tokens().await }
}

pub(crate) fn draw(seed: Account) -> AnyView {
    view! { <AccountPage seed /> }.into_any()
}

#[component]
fn AccountPage(seed: Account) -> impl IntoView {
    let user = expect_context::<Session>().user;
    let must_change = user.as_ref().is_some_and(|user| user.must_change_password);
    let username = user.map(|user| user.username).unwrap_or_default();
    // First what has to be done first, and nothing else beside it.
    let tokens = (!must_change).then(|| view! { <TokenPanel seed=seed.tokens /> });
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
