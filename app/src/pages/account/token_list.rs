//! The tokens that one has, with what each may do and when it was used last; each can be revoked.

use super::new_token::NewToken;
use crate::browser;
use crate::client::{self, ClientError};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::notice::{Alert, Failure, StatusNote};
use crate::components::time_stamp::TimeStamp;
use crate::components::toasts::Toasts;
use crate::pending::telling;
use crate::poll::Clock;
use crate::reload::{Reload, reload};
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::{Token, TokenScope, Tokens};

#[component]
pub(super) fn TokenPanel(seed: Result<Tokens, ClientError>) -> impl IntoView {
    let Reload { value: tokens, again } = reload(Memo::new(|_| ()), seed, |()| client::list_tokens());
    // The list is drawn anew after each change; what is told of one stays.
    let problem = RwSignal::new(None::<String>);
    let note = RwSignal::new(None::<String>);
    let list = move || match tokens.get() {
        Ok(Tokens { tokens }) => view! { <TokenList tokens problem note on_change=again /> }.into_any(),
        Err(error) => {
            view! { <Failure title="The tokens can't be shown" message=error.message() retry=again /> }.into_any()
        }
    };
    view! {
        <section class="panel" aria-labelledby="tokens-title">
            <div class="panel-head">
                <h2 id="tokens-title">"API tokens"</h2>
                <span class="muted">"With which scripts sign in as you"</span>
            </div>
            <NewToken on_change=again />
            <Alert message=problem />
            <StatusNote message=note />
            {list}
        </section>
    }
}

#[component]
fn TokenList(
    tokens: Vec<Token>,
    problem: RwSignal<Option<String>>,
    note: RwSignal<Option<String>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = Toasts::of_context();
    let asks = RwSignal::new(None::<Token>);
    let revoke = Callback::new(move |token: Token| {
        problem.set(None);
        // Each by itself: none is swallowed because another one takes long.
        spawn_local(async move {
            let told = format!("Revoking \"{}\"…", token.name);
            match telling(note, told, client::delete_token(token.id)).await {
                Ok(()) => toasts.done(format!("Token \"{}\" revoked.", token.name)),
                Err(error) => problem.set(Some(error.message())),
            }
            // The list may have been left meanwhile.
            let _ = on_change.try_run(());
            request_animation_frame(|| browser::focus_if_lost("main"));
        });
    });
    let dialog = move || {
        asks.get().map(|token| {
            let title = format!("Revoke token \"{}\"?", token.name);
            view! {
                <ConfirmDialog is_open=RwSignal::new(true) title confirm="Revoke token"
                    text="Whatever uses it is refused from now on. That can't be undone."
                    on_confirm=Callback::new(move |()| revoke.run(token.clone())) />
            }
        })
    };
    if tokens.is_empty() {
        return view! { <p class="panel-body muted">"You have no tokens."</p> }.into_any();
    }
    let row = move |token: Token| {
        let (id, name) = (token.id, token.name.clone());
        let label = format!("Revoke {name}");
        let asked = token.clone();
        view! {
            <tr>
                <th scope="row" class="is-wrapped">{name}</th>
                <td>{scope(token.scope)}</td>
                <td><TimeStamp at=token.created_at /></td>
                <td>{moment(token.last_used_at, "never")}</td>
                <td><Expiry token /></td>
                <td class="is-number">
                    <button class="button is-small is-danger" type="button" aria-label=label data-token=id.to_string()
                        on:click=move |_| asks.set(Some(asked.clone()))>
                        "Revoke"
                    </button>
                </td>
            </tr>
        }
    };
    let rows = tokens.into_iter().map(row).collect_view();
    view! {
        <div class="table-scroll">
            <table class="table is-roomy" aria-label="Tokens">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"May"</th>
                        <th scope="col">"Created"</th>
                        <th scope="col">"Last used"</th>
                        <th scope="col">"Ends"</th>
                        <th scope="col"><span class="visually-hidden">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {dialog}
    }
    .into_any()
}

pub(super) const fn scope(scope: TokenScope) -> &'static str {
    match scope {
        TokenScope::Read => "Read",
        TokenScope::Submit => "Read and submit",
        TokenScope::Admin => "All that you may",
    }
}

fn moment(at: Option<protocol::Timestamp>, never: &'static str) -> AnyView {
    at.map_or_else(|| never.into_any(), |at| view! { <TimeStamp at /> }.into_any())
}

#[component]
fn Expiry(token: Token) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let at = token.expires_at;
    let is_over = Memo::new(move |_| at.zip(clock.now()).is_some_and(|(at, now)| at <= now));
    view! {
        {moment(at, "never")}
        {move || is_over.get().then(|| view! { <span class="muted">" (ended)"</span> })}
    }
}
