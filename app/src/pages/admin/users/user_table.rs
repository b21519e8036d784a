//! The users, by name, and beside each what can be done: a table on a wide screen, cards on a phone.

use super::deeds::{Deed, DeedDialog};
use crate::components::icon::Icon;
use crate::components::menu::Menu;
use crate::components::notice::{Alert, StatusNote};
use crate::components::time_stamp::{MaybeTimeStamp, TimeStamp};
use crate::session::Session;
use leptos::prelude::*;
use protocol::api::User;

#[component]
pub(super) fn UserTable(users: Memo<Vec<User>>, on_change: Callback<()>) -> impl IntoView {
    let asked = RwSignal::new(None::<(Deed, User)>);
    let problem = RwSignal::new(None::<String>);
    let note = RwSignal::new(None::<String>);
    let myself = expect_context::<Session>().user.map(|user| user.id);
    let row = move |user: User| {
        let is_me = myself == Some(user.id);
        view! { <UserRow user is_me asked /> }
    };
    // What is the same stays; a user that was changed is a row of its own.
    let key = |user: &User| {
        (user.id, user.username.clone(), user.is_admin, user.must_change_password, user.last_login_at.map(|at| at.0))
    };
    view! {
        <Alert message=problem />
        <StatusNote message=note />
        <div class="table-scroll">
            <table class="table is-roomy user-table" role="table" aria-label="Users">
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader" scope="col">"Username"</th>
                        <th role="columnheader" scope="col">"Role"</th>
                        <th role="columnheader" scope="col">"Created"</th>
                        <th role="columnheader" scope="col">"Last sign-in"</th>
                        <th role="columnheader" scope="col"><span class="visually-hidden">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    <For each=move || users.get() key children=row />
                </tbody>
            </table>
        </div>
        <DeedDialog asked problem note on_change />
    }
}

#[component]
fn UserRow(user: User, is_me: bool, asked: RwSignal<Option<(Deed, User)>>) -> impl IntoView {
    let name = user.username.clone();
    let is_admin = user.is_admin;
    let role = if is_admin { "Administrator" } else { "User" };
    let remark =
        user.must_change_password.then(|| view! { <span class="muted">" – first password not changed yet"</span> });
    let me = is_me.then(|| view! { <span class="muted">" (you)"</span> });
    let (created_at, last_login_at) = (user.created_at, user.last_login_at);
    let ask = StoredValue::new(user);
    let item = move |deed: Deed, icon: &'static str, words: &'static str, class: &'static str| {
        let press = move |_| asked.set(Some((deed, ask.get_value())));
        view! { <button class=class type="button" on:click=press><Icon name=icon />{words}</button> }
    };
    let admin_words = if is_admin { "Take administration…" } else { "Make administrator…" };
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">{name.clone()}{me}</th>
            <td role="cell">{role}{remark}</td>
            <td role="cell" class="user-created"><TimeStamp at=created_at /></td>
            <td role="cell" class="user-seen"><MaybeTimeStamp at=last_login_at /></td>
            <td role="cell" class="is-number">
                <Menu label=format!("Actions for {name}") class="button is-quiet is-icon is-small">
                    {item(Deed::Rename, "edit", "Rename…", "menu-item")}
                    {item(Deed::SetPassword, "key", "Set password…", "menu-item")}
                    {item(Deed::MakeAdmin(!is_admin), "user", admin_words, "menu-item")}
                    <hr />
                    {item(Deed::Delete, "trash", "Delete…", "menu-item is-danger")}
                </Menu>
            </td>
        </tr>
    }
}
