//! Names and values side by side: what there is to know about something.

use crate::html::{Child, Html, el};

pub(crate) fn facts(facts: Vec<Html>) -> Html {
    el("dl").class("facts").child(facts)
}

pub(crate) fn fact(name: &'static str, value: impl Child) -> Html {
    el("div").class("fact").child(el("dt").child(name)).child(el("dd").child(value))
}
