//! A status as a word with a colour and a shape, so that it never depends on seeing colours.

use crate::words;
use leptos::prelude::*;
use protocol::{JobStatus, TaskStatus};

pub(crate) fn job_status_badge(status: JobStatus) -> impl IntoView {
    badge(status.as_str(), words::job_status(status))
}

pub(crate) fn task_status_badge(status: TaskStatus) -> impl IntoView {
    badge(status.as_str(), words::task_status(status))
}

fn badge(status: &'static str, word: &'static str) -> impl IntoView {
    view! {
        <span class="badge" data-status=status>
            <span class="badge-shape" aria-hidden="true"></span>
            {word}
        </span>
    }
}
