//! The sign-in view: a plain form, so that it works before the page is live, and without JavaScript at all.

use crate::components::notice::alert;
use crate::html::{Html, el};
use crate::navigation::Navigation;
use crate::paths;
use leptos::prelude::*;

pub(super) fn login_page() -> Html {
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
        .attr("required", "")
        .attr("autofocus", "");
    let password = el("input")
        .attr("id", "password")
        .attr("name", "password")
        .attr("type", "password")
        .attr("autocomplete", "current-password")
        .attr("maxlength", "256")
        .attr("required", "");
    let form = el("form")
        .attr("method", "post")
        .attr("action", paths::LOGIN)
        .child(el("input").attr("type", "hidden").attr("name", "next").attr("value", next))
        .child(el("div").class("field").child(el("label").attr("for", "username").child("Username")).child(username))
        .child(el("div").class("field").child(el("label").attr("for", "password").child("Password")).child(password))
        .child(el("button").class("button is-primary is-wide").attr("type", "submit").child("Sign in"));
    el("section").class("login").child(el("h1").child("Sign in")).child(alert(Signal::stored(error))).child(form)
}

/// The API's error code, as the form's answer hands it back, in words.
fn reason(code: &str) -> String {
    match code {
        "rate_limited" => "Too many attempts. Wait a minute, then try again.",
        "cross_site" => "This form was sent from another site. Try again from here.",
        "unavailable" | "internal" => "The server can't check the sign-in right now. Try again in a moment.",
        _ => "User name or password is wrong.",
    }
    .to_owned()
}
