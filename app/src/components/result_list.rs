//! The files that a task left behind, to look at or to keep.

use crate::html::{Html, el, live};
use crate::words;
use leptos::prelude::*;
use protocol::api::ResultFile;

/// Each of `files` with where it can be had.
pub(crate) fn result_list(files: Signal<Vec<(ResultFile, String)>>) -> Html {
    let items = move || {
        let item = |(file, href): (ResultFile, String)| {
            let link = el("a").class("scenario").attr("href", href).attr("rel", "external").child(file.path);
            el("li").child(link).child(el("span").class("progress-text").child(words::size(file.size)))
        };
        files.get().into_iter().map(item).collect::<Vec<_>>()
    };
    el("div")
        .class("results")
        .attr_of("hidden", move || files.with(Vec::is_empty).then(String::new))
        .child(el("h2").child("Result files"))
        .child(el("ul").attr("aria-label", "Result files").child(live(items)))
}
