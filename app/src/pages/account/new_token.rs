//! Making a token. Its secret is shown this once, to be copied.

use super::token_list::scope;
use crate::browser;
use crate::client;
use crate::components::field::{Field, Select};
use crate::components::icon::Icon;
use crate::components::notice::Alert;
use crate::components::toasts::Toasts;
use crate::form_problem::FormProblem;
use crate::pending::Pending;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::api::{CreateTokenRequest, MAX_TOKEN_NAME_CHARS, TokenScope};

/// Days, in words; empty for no end.
const LIVES: [(&str, &str); 5] =
    [("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("", "Never")];
const USUAL_LIFE: &str = "90";

#[component]
pub(super) fn NewToken(on_change: Callback<()>) -> impl IntoView {
    let name = NodeRef::<Input>::new();
    let chosen_scope = RwSignal::new(TokenScope::Submit.as_str().to_owned());
    let life = RwSignal::new(USUAL_LIFE.to_owned());
    let problem = FormProblem::new(&["name"]);
    let made = RwSignal::new(None::<(String, String)>);
    let pending = Pending::new();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(name) = name.get_untracked() else { return };
        let request = CreateTokenRequest {
            name: name.value(),
            scope: chosen_scope.get_untracked().parse().ok(),
            expires_in_days: life.get_untracked().parse().ok(),
        };
        pending.run(async move {
            match client::create_token(&request).await {
                Ok((token, secret)) => {
                    name.set_value("");
                    problem.set(None);
                    made.set(Some((token.name, secret)));
                    // The list may have been left meanwhile.
                    let _ = on_change.try_run(());
                }
                Err(error) => {
                    let _ = name.focus();
                    problem.set(Some(error));
                }
            }
        });
    };
    let scopes =
        TokenScope::ALL.iter().map(|one| (one.as_str().to_owned(), scope(*one).to_owned())).collect::<Vec<_>>();
    let lives = LIVES.map(|(days, words)| (days.to_owned(), words.to_owned())).to_vec();
    view! {
        <form class="panel-body stack" on:submit=submit>
            <Alert message=problem.above() />
            <div class="form-row">
                <Field id="token-name" label="Name" error=problem.at("name")>
                    <input id="token-name" node_ref=name type="text" required autocomplete="off"
                        maxlength=MAX_TOKEN_NAME_CHARS.to_string() placeholder="Where it is used"
                        aria-describedby="token-name-note" />
                </Field>
                <Field id="token-scope" label="May" error=Signal::stored(None::<String>)>
                    <Select id="token-scope" name="scope" value=chosen_scope options=Signal::stored(scopes)
                        is_invalid=Signal::stored(false) on_choose=Callback::new(move |value| chosen_scope.set(value)) />
                </Field>
                <Field id="token-life" label="Ends" error=Signal::stored(None::<String>)>
                    <Select id="token-life" name="expires_in_days" value=life options=Signal::stored(lives)
                        is_invalid=Signal::stored(false) on_choose=Callback::new(move |value| life.set(value)) />
                </Field>
                <button class="button is-primary" type="submit" aria-disabled=move || pending.as_aria()>"Create token"</button>
            </div>
            <div role="status">
                {move || made.get().map(|(name, secret)| view! { <Secret name secret /> })}
            </div>
        </form>
    }
}

#[component]
fn Secret(name: String, secret: String) -> impl IntoView {
    let toasts = Toasts::of_context();
    let copied = secret.clone();
    let copy = move |_| {
        let copied = copied.clone();
        leptos::task::spawn_local(async move {
            // Without the right to it, the secret can still be marked and copied by hand.
            if browser::copy(&copied).await {
                toasts.done("Copied.");
            } else {
                toasts.failed("Can't copy here: mark it and copy it by hand.");
            }
        });
    };
    view! {
        <p class="muted">
            {format!("Token \"{name}\" is made. Copy it now: it is not shown again.")}
        </p>
        <div class="secret">
            <code aria-label="Secret">{secret}</code>
            <button class="button is-small" type="button" on:click=copy><Icon name="copy" />"Copy"</button>
        </div>
    }
}
