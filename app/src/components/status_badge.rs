//! A status as a word with a colour and a shape, so that it never depends on seeing colours.

use crate::html::{Html, el};
use crate::words;
use protocol::{JobStatus, TaskStatus};

pub(crate) fn job_status_badge(status: JobStatus) -> Html {
    badge(status.as_str(), words::job_status(status))
}

pub(crate) fn task_status_badge(status: TaskStatus) -> Html {
    badge(status.as_str(), words::task_status(status))
}

fn badge(status: &'static str, word: &'static str) -> Html {
    el("span")
        .class("badge")
        .attr("data-status", status)
        .child(el("span").class("badge-shape").attr("aria-hidden", "true"))
        .child(word)
}
