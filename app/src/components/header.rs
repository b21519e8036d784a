//! The bar at the top of every view: where one is, and who.

use crate::html::{Html, el};
use leptos::prelude::*;

pub(crate) fn header(home: &'static str, account: Option<Html>) -> Html {
    let mark = view! {
        <svg class="brand-mark" width="24" height="24" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d="M3 7.5 12 3l9 4.5v9L12 21l-9-4.5z" />
            <path class="brand-check" d="m8 12 3 3 5.5-6" />
        </svg>
    };
    let brand = el("a").class("brand").attr("href", home).child(mark.into_any()).child("TestArena");
    el("header").class("header").child(brand).child(account)
}
