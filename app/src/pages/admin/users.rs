//! Who may sign in: users are made, renamed, given a new password, made administrators, and deleted.

use super::Unshown;
use crate::client::{self, ClientError};
use crate::pages::At;
use crate::reload::{Reload, reload};
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::Users;

mod deeds;
mod new_user;
mod user_table;

use new_user::NewUser;
use user_table::UserTable;

type Found = Result<Users, ClientError>;

pub(crate) async fn load(_: At) -> Found {
    client::list_users().await
}

pub(crate) fn draw(seed: Found) -> AnyView {
    view! { <UsersPage seed /> }.into_any()
}

#[component]
fn UsersPage(seed: Found) -> impl IntoView {
    let Reload { value: found, again } = reload(Memo::new(|_| ()), seed, |()| client::list_users());
    let is_shown = Memo::new(move |_| found.with(Result::is_ok));
    let users =
        Memo::new(move |_| found.with(|found| found.as_ref().map(|list| list.users.clone()).unwrap_or_default()));
    let view = move || {
        if is_shown.get() {
            return view! { <Present users on_change=again /> }.into_any();
        }
        let error = found.get_untracked().err();
        error.map(|error| view! { <Unshown title="The users can't be shown" error retry=again /> }).into_any()
    };
    view! { {view} }
}

#[component]
fn Present(users: Memo<Vec<protocol::api::User>>, on_change: Callback<()>) -> impl IntoView {
    view! {
        <Title text="Users" />
        <div class="page-head">
            <h1>"Users"</h1>
        </div>
        <NewUser on_change />
        <UserTable users on_change />
    }
}
