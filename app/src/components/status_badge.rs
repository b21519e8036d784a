//! A status as a word with a colour and a shape, so that it never depends on seeing colours.

use crate::words;
use leptos::prelude::*;
use protocol::{JobStatus, TaskStatus};

#[component]
pub(crate) fn JobStatusBadge(status: JobStatus) -> impl IntoView {
    view! { <Badge status=status.as_str() word=words::job_status(status) /> }
}

#[component]
pub(crate) fn TaskStatusBadge(status: TaskStatus) -> impl IntoView {
    view! { <Badge status=status.as_str() word=words::task_status(status) /> }
}

/// Of anything that goes well or not.
#[component]
pub(crate) fn Badge(status: &'static str, word: &'static str) -> impl IntoView {
    view! {
        <span class="badge" data-status=status>
            <span class="badge-shape" aria-hidden="true"></span>
            {word}
        </span>
    }
}
