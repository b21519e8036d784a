//! The sign-in view: a plain form, so that it works before the page is live, and without JavaScript at all.

use crate::client;
use crate::components::notice::alert;
use crate::html::{Html, el};
use crate::navigation::Navigation;
use crate::paths;
use leptos::prelude::*;
use protocol::api::SingleSignOn;

/// None where there is no single sign-on, and where that can't be told: the form works all the same.
pub(super) type Seed = Option<SingleSignOn>;

pub(super) async fn load() -> Seed {
    client::login_options().await.ok().and_then(|options| options.single_sign_on)
}

pub(super) fn login_page(seed: Seed) -> Html {
    let url = Navigation::of_context().url.get_untracked();
    let next = Some(url.get("next")).filter(|next| !next.is_empty()).unwrap_or(paths::HOME);
    let error = Some(url.get("error")).filter(|error| !error.is_empty()).map(reason);
    let username = el("input")
        .attr("id", "username")
        .attr("name", "username")
        .attr("type", "text")
        .attr("autocomplete", "username")
        .attr("autocapitalize", "none")
        .attr("spellcheck", "false")
        .attr("maxlength", "32")
        .attr("required", "");
    // After a wrong password only that has to be typed again.
    let username = match url.get("username") {
        "" => username.attr("autofocus", ""),
        name => username.attr("value", name),
    };
    let password = el("input")
        .attr("id", "password")
        .attr("name", "password")
        .attr("type", "password")
        .attr("autocomplete", "current-password")
        .attr("maxlength", "256")
        .attr("required", "");
    let password = if url.get("username").is_empty() { password } else { password.attr("autofocus", "") };
    let elsewhere = seed.map(|at| {
        let address = paths::with_query(&at.path, &[("next", next)]);
        el("a").class("button is-wide").attr("href", address).attr("rel", "external").child(at.label)
    });
    let form = el("form")
        .attr("method", "post")
        .attr("action", paths::LOGIN)
        .child(el("input").attr("type", "hidden").attr("name", "next").attr("value", next))
        .child(el("div").class("field").child(el("label").attr("for", "username").child("Username")).child(username))
        .child(el("div").class("field").child(el("label").attr("for", "password").child("Password")).child(password))
        .child(el("button").class("button is-primary is-wide").attr("type", "submit").child("Sign in"));
    el("section")
        .class("login")
        .child(el("h1").child("Sign in"))
        .child(alert(Signal::stored(error)))
        .child(form)
        .child(elsewhere)
}

/// The API's error code, as the form's answer hands it back, in words.
fn reason(code: &str) -> String {
    match code {
        "rate_limited" => "Too many attempts. Wait a minute, then try again.",
        "cross_site" => "This form was sent from another site. Try again from here.",
        "unavailable" | "internal" => "The server can't check the sign-in right now. Try again in a moment.",
        "oidc_denied" => "The other account was not let in. Try again, or sign in with a user name.",
        "oidc_expired" => "That sign-in took too long or was begun elsewhere. Try again.",
        "oidc_failed" => {
            "The other account could not be checked. Try again; an administrator finds the cause in the log."
        }
        "oidc_unavailable" => "The other account can't be checked right now. Try again in a moment.",
        "oidc_not_allowed" => "This account is in none of the groups that may sign in here.",
        "oidc_username" => "This account has no name that a user can have here. Ask an administrator.",
        "oidc_username_taken" => "Somebody else has this account's name here. Ask an administrator.",
        _ => "User name or password is wrong.",
    }
    .to_owned()
}
