//! The sign-in view: a plain form, so that it works before the page is live, and without JavaScript at all.

use super::{At, Seed};
use crate::components::notice::Alert;
use crate::{client, paths};
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::{ErrorCode, SingleSignOn, SingleSignOnFailure};

pub(crate) struct SignIn {
    /// Where one wanted to go.
    next: String,
    /// What the form was sent with, and the code of what was wrong with it.
    username: String,
    error: Option<String>,
    /// None where there is none, and where that can't be told: the form works all the same.
    single_sign_on: Option<SingleSignOn>,
}

impl Seed for SignIn {}

pub(crate) async fn load(at: At) -> SignIn {
    let given = |name| at.query.get_str(name).filter(|value| !value.is_empty()).map(str::to_owned);
    SignIn {
        next: given("next").unwrap_or_else(|| paths::HOME.to_owned()),
        username: given("username").unwrap_or_default(),
        error: given("error"),
        single_sign_on: client::login_options().await.ok().and_then(|options| options.single_sign_on),
    }
}

pub(crate) fn draw(seed: SignIn) -> AnyView {
    view! { <LoginPage seed /> }.into_any()
}

#[component]
fn LoginPage(seed: SignIn) -> impl IntoView {
    let SignIn { next, username, error, single_sign_on } = seed;
    // After a wrong password only that has to be typed again.
    let is_known = !username.is_empty();
    // What is there when a page is loaded is not announced by itself; what describes the field with the focus is.
    let why = error.is_some().then_some("sign-in-error");
    // The line of a log that a link points at comes along in the browser's address alone.
    let hash = RwSignal::new(String::new());
    Effect::new(move |_| hash.set(window().location().hash().unwrap_or_default()));
    let wanted = Signal::derive(move || if next.contains('#') { next.clone() } else { next.clone() + &hash.get() });
    let elsewhere = single_sign_on.map(|at| {
        let address = move || paths::with_query(&at.path, &[("next", &wanted.get())]);
        view! { <a class="button is-wide" href=address rel="external">{at.label}</a> }
    });
    view! {
        <Title text="Sign in" />
        <section class="login">
            <h1>"Sign in"</h1>
            <Alert id="sign-in-error" message=Signal::stored(error.as_deref().map(reason)) />
            <form method="post" action=paths::LOGIN>
                <input type="hidden" name="next" value=wanted />
                <div class="field">
                    <label for="username">"Username"</label>
                    <input id="username" name="username" type="text" autocomplete="username" autocapitalize="none"
                        spellcheck="false" maxlength="32" required value=username autofocus=!is_known
                        aria-describedby=why />
                </div>
                <div class="field">
                    <label for="password">"Password"</label>
                    <input id="password" name="password" type="password" autocomplete="current-password"
                        maxlength="256" required autofocus=is_known aria-describedby=why />
                </div>
                <button class="button is-primary is-wide" type="submit">"Sign in"</button>
            </form>
            {elsewhere}
        </section>
    }
}

/// Why one was not signed in, as the form's or the other account's answer hands it back, in words.
fn reason(code: &str) -> String {
    if let Ok(failure) = code.parse::<SingleSignOnFailure>() {
        return failure_of_other_account(failure).to_owned();
    }
    match code.parse() {
        Ok(ErrorCode::Unauthenticated) => "User name or password is wrong.",
        Ok(ErrorCode::RateLimited) => "Too many attempts. Wait a minute, then try again.",
        Ok(ErrorCode::CrossSite) => "This form was sent from another site. Try again from here.",
        Ok(ErrorCode::Unavailable | ErrorCode::Internal) => {
            "The server can't check the sign-in right now. Try again in a moment."
        }
        _ => "Something was wrong with that sign-in. Try again.",
    }
    .to_owned()
}

const fn failure_of_other_account(failure: SingleSignOnFailure) -> &'static str {
    match failure {
        SingleSignOnFailure::Denied => "The other account was not let in. Try again, or sign in with a user name.",
        SingleSignOnFailure::Expired => "That sign-in took too long or was begun elsewhere. Try again.",
        SingleSignOnFailure::Failed => {
            "The other account could not be checked. Try again; an administrator finds the cause in the log."
        }
        SingleSignOnFailure::Unavailable => "The other account can't be checked right now. Try again in a moment.",
        SingleSignOnFailure::NotAllowed => "This account is in none of the groups that may sign in here.",
        SingleSignOnFailure::Username => "This account has no name that a user can have here. Ask an administrator.",
        SingleSignOnFailure::UsernameTaken => "Somebody else has this account's name here. Ask an administrator.",
    }
}
