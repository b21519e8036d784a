//! Changing one's password. Where an administrator has set it, nothing else can be done before.

use crate::browser;
use crate::client;
use crate::components::field::Field;
use crate::components::icon::Icon;
use crate::components::notice::Alert;
use crate::components::toasts::Toasts;
use crate::form_problem::FormProblem;
use crate::paths::{self, Query};
use crate::pending::Pending;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::api::ChangePasswordRequest;

#[component]
pub(super) fn PasswordPanel(username: String, must_change: bool) -> impl IntoView {
    let next =
        Query::here().with_untracked(|query| paths::ours(query.get_str("next").unwrap_or(paths::HOME)).to_owned());
    let toasts = Toasts::of_context();
    let (current, new, again) = (NodeRef::<Input>::new(), NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let problem = FormProblem::new(&["current_password", "new_password"]);
    let differs = RwSignal::new(false);
    let pending = Pending::new();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let [Some(current), Some(new), Some(again)] = [current, new, again].map(|field| field.get_untracked()) else {
            return;
        };
        let request = ChangePasswordRequest { current_password: current.value(), new_password: new.value() };
        differs.set(request.new_password != again.value());
        if differs.get_untracked() {
            let _ = again.focus();
            return;
        }
        let next = next.clone();
        pending.run(async move {
            let changed = client::change_password(&request).await;
            problem.set(changed.as_ref().err().cloned());
            if let Err(error) = changed {
                let wrong = if error.field("current_password").is_some() { current } else { new };
                let _ = wrong.focus();
                return;
            }
            if must_change {
                // A new document: who one is was said with the first.
                browser::go(&next);
                return;
            }
            for field in [current, new, again] {
                field.set_value("");
            }
            toasts.done("Password changed. Your other sessions have ended; tokens stay.");
        });
    };
    let told = must_change.then(|| {
        view! {
            <p class="notice is-warning">
                <Icon name="key" />
                <span>"Your password was set by an administrator. Choose one of your own to go on."</span>
            </p>
        }
    });
    let not_same = Signal::derive(move || differs.get().then(|| "This is not the same as above.".to_owned()));
    view! {
        <section class="panel" aria-labelledby="password-title">
            <h2 id="password-title">"Password"</h2>
            <form class="panel-body stack" on:submit=submit>
                {told}
                <Alert message=problem.above() />
                // For password managers, which keep the two together.
                <input type="text" autocomplete="username" value=username hidden readonly />
                <Field id="current-password" label="Current password" error=problem.at("current_password")>
                    <input id="current-password" node_ref=current type="password" autocomplete="current-password"
                        maxlength="256" required aria-describedby="current-password-note" />
                </Field>
                <Field id="new-password" label="New password" error=problem.at("new_password")>
                    <input id="new-password" node_ref=new type="password" autocomplete="new-password" minlength="8"
                        maxlength="256" required aria-describedby="new-password-note new-password-rule" />
                    <p class="field-note is-hint" id="new-password-rule">"8 characters or more; a few words are easy to keep."</p>
                </Field>
                <Field id="repeated-password" label="New password again" error=not_same>
                    <input id="repeated-password" node_ref=again type="password" autocomplete="new-password"
                        maxlength="256" required aria-describedby="repeated-password-note" />
                </Field>
                <div>
                    <button class="button is-primary" type="submit" aria-disabled=move || pending.as_aria()>
                        "Change password"
                    </button>
                </div>
            </form>
        </section>
    }
}
