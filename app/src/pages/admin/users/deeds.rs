//! What can be done with a user: each is asked for in a dialog and says what came of it.

use crate::browser;
use crate::client::{self, ClientError};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::text_dialog::{Question, TextDialog};
use crate::components::toasts::Toasts;
use crate::paths;
use crate::pending::{Pending, telling};
use crate::session::Session;
use leptos::prelude::*;
use protocol::api::{ChangeUserRequest, User};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Rename,
    SetPassword,
    /// Or no longer.
    MakeAdmin(bool),
    Delete,
}

impl Deed {
    fn under_way(self, user: &User) -> String {
        let name = &user.username;
        if self == Self::Delete { format!("Deleting {name}…") } else { format!("Changing {name}…") }
    }

    /// With what was typed, where something was asked for.
    async fn run(self, user: &User, typed: String) -> Result<String, ClientError> {
        let change = ChangeUserRequest::default();
        let name = &user.username;
        let (change, told) = match self {
            Self::Rename => {
                let changed =
                    client::change_user(user.id, &ChangeUserRequest { username: Some(typed), ..change }).await?;
                return Ok(format!("{name} is now {}.", changed.username));
            }
            Self::Delete => {
                client::delete_user(user.id).await?;
                return Ok(format!("User {name} deleted."));
            }
            Self::SetPassword => {
                (ChangeUserRequest { password: Some(typed), ..change }, format!("{name} has a new password."))
            }
            Self::MakeAdmin(is_admin) => {
                let told = if is_admin { "an administrator now" } else { "no longer an administrator" };
                (ChangeUserRequest { is_admin: Some(is_admin), ..change }, format!("{name} is {told}."))
            }
        };
        client::change_user(user.id, &change).await?;
        Ok(told)
    }

    /// What has to be typed for it.
    fn question(self, user: &User) -> Option<Question> {
        let name = &user.username;
        match self {
            Self::Rename => Some(Question {
                title: format!("Rename {name}"),
                text: "Their jobs go with them and show the new name.",
                label: "New username",
                value: name.clone(),
                kind: "text",
                autocomplete: "off",
                confirm: "Rename",
            }),
            Self::SetPassword => Some(Question {
                title: format!("New password for {name}"),
                text: "Their sessions end. They are asked for a password of their own when they sign in.",
                label: "New password",
                value: String::new(),
                kind: "password",
                autocomplete: "new-password",
                confirm: "Set password",
            }),
            Self::MakeAdmin(_) | Self::Delete => None,
        }
    }

    fn asks(self, user: &User) -> (String, &'static str, &'static str) {
        let name = &user.username;
        match self {
            Self::MakeAdmin(true) => (
                format!("Make {name} an administrator?"),
                "They can then do everything here: manage users and environments, and end anybody's jobs.",
                "Make administrator",
            ),
            Self::MakeAdmin(false) => (
                format!("Take administration from {name}?"),
                "They keep their account and their jobs.",
                "Take administration",
            ),
            _ => (
                format!("Delete user {name}?"),
                "They can no longer sign in, and their tokens stop working. Their jobs stay, shown under the name.",
                "Delete user",
            ),
        }
    }
}

/// Shows the dialog of what is asked for; set anew, it opens anew.
#[component]
pub(super) fn DeedDialog(
    asked: RwSignal<Option<(Deed, User)>>,
    problem: RwSignal<Option<String>>,
    note: RwSignal<Option<String>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = Toasts::of_context();
    let me = expect_context::<Session>().user.map(|user| user.id);
    let wrong = RwSignal::new(None::<String>);
    let act = Callback::new(move |(deed, user, typed, pending): (Deed, User, String, Pending)| {
        problem.set(None);
        pending.run(async move {
            let done = telling(note, deed.under_way(&user), deed.run(&user, typed)).await;
            // Another may have been asked for meanwhile, or the view left.
            let is_asked = asked.try_get_untracked().flatten().is_some_and(|(now, of)| now == deed && of.id == user.id);
            match done {
                Ok(told) => {
                    if is_asked {
                        asked.set(None);
                    }
                    if me == Some(user.id) {
                        // Who one is stands all over the page: as a new document it is told anew.
                        return browser::go(paths::ADMIN_USERS);
                    }
                    toasts.done(told);
                    let _ = on_change.try_run(());
                    request_animation_frame(|| browser::focus_if_lost("main"));
                }
                Err(error) if is_asked && deed.question(&user).is_some() => {
                    let about_field = error.field("username").or_else(|| error.field("password"));
                    wrong.set(Some(about_field.unwrap_or_else(|| error.message())));
                }
                Err(error) => problem.set(Some(error.message())),
            }
        });
    });
    move || {
        let (deed, user) = asked.get()?;
        wrong.set(None);
        // Each dialog's own: what was confirmed in one is swallowed by no other, however long that takes.
        let pending = Pending::new();
        if let Some(question) = deed.question(&user) {
            let on_submit = Callback::new(move |typed| act.run((deed, user.clone(), typed, pending)));
            let on_close = Callback::new(move |()| asked.set(None));
            return Some(view! { <TextDialog question error=wrong pending on_submit on_close /> }.into_any());
        }
        let (title, text, confirm) = deed.asks(&user);
        let on_confirm = Callback::new(move |()| act.run((deed, user.clone(), String::new(), pending)));
        Some(view! { <ConfirmDialog is_open=RwSignal::new(true) title text confirm on_confirm /> }.into_any())
    }
}
