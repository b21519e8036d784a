//! Making a user. The password is a first one: they are asked for their own when they sign in.

use crate::client;
use crate::components::field::Field;
use crate::components::notice::Alert;
use crate::components::toasts::Toasts;
use crate::form_problem::FormProblem;
use crate::pending::Pending;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::api::CreateUserRequest;

#[component]
pub(super) fn NewUser(on_change: Callback<()>) -> impl IntoView {
    let toasts = Toasts::of_context();
    let (name, password, is_admin) = (NodeRef::<Input>::new(), NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let problem = FormProblem::new(&["username", "password"]);
    let pending = Pending::new();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let [Some(name), Some(password), Some(is_admin)] =
            [name, password, is_admin].map(|field| field.get_untracked())
        else {
            return;
        };
        let request = CreateUserRequest {
            username: name.value().trim().to_owned(),
            password: password.value(),
            is_admin: is_admin.checked(),
        };
        pending.run(async move {
            let made = client::create_user(&request).await;
            problem.set(made.as_ref().err().cloned());
            match made {
                Ok(user) => {
                    name.set_value("");
                    password.set_value("");
                    is_admin.set_checked(false);
                    toasts.done(format!("User {} created.", user.username));
                    // The list may have been left meanwhile.
                    let _ = on_change.try_run(());
                }
                Err(error) => {
                    let _ = if error.field("password").is_some() { password.focus() } else { name.focus() };
                }
            }
        });
    };
    view! {
        <section class="panel" aria-labelledby="new-user-title">
            <h2 id="new-user-title">"New user"</h2>
            <form class="panel-body stack" on:submit=submit>
                <Alert message=problem.above() />
                <div class="form-row">
                    <Field id="new-username" label="Username" error=problem.at("username")>
                        <input id="new-username" node_ref=name type="text" required maxlength="32" autocomplete="off"
                            autocapitalize="none" spellcheck="false" aria-describedby="new-username-note" />
                    </Field>
                    <Field id="new-user-password" label="First password" error=problem.at("password")>
                        <input id="new-user-password" node_ref=password type="password" required minlength="8"
                            maxlength="256" autocomplete="new-password" aria-describedby="new-user-password-note" />
                    </Field>
                    <label class="check">
                        <input node_ref=is_admin type="checkbox" />
                        "Administrator"
                    </label>
                    <button class="button is-primary" type="submit" aria-disabled=move || pending.as_aria()>"Create user"</button>
                </div>
                <p class="field-note is-hint">"They choose a password of their own when they sign in first."</p>
            </form>
        </section>
    }
}
