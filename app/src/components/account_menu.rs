//! Who is signed in, and the way out. A plain form, so that signing out works before the page is live.

use crate::html::{Html, el};

pub(crate) fn account_menu(username: String, sign_out: &'static str) -> Html {
    el("form")
        .class("account-menu")
        .attr("method", "post")
        .attr("action", sign_out)
        .child(el("span").class("account-name").attr("title", "Signed in").child(username))
        .child(el("button").class("button is-quiet").attr("type", "submit").child("Sign out"))
}
