//! For a URL that leads nowhere.

use crate::html::{Html, el};
use crate::paths;

pub(super) fn not_found_page() -> Html {
    el("section")
        .class("failure")
        .child(el("h1").child("Page not found"))
        .child(el("p").child("There is nothing at this address. It may be mistyped, or what was here is gone."))
        .child(el("a").class("button is-primary").attr("href", paths::HOME).child("To the jobs"))
}
