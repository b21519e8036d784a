//! A status as a word with a colour and a shape, so that it never depends on seeing colours.

use crate::words;
use leptos::prelude::*;
use protocol::{JobStatus, TaskStatus};

#[component]
pub(crate) fn JobStatusBadge(#[prop(into)] status: Signal<JobStatus>) -> impl IntoView {
    badge(move || (status.get().as_str(), words::job_status(status.get())))
}

#[component]
pub(crate) fn TaskStatusBadge(#[prop(into)] status: Signal<TaskStatus>) -> impl IntoView {
    badge(move || (status.get().as_str(), words::task_status(status.get())))
}

fn badge(status: impl Fn() -> (&'static str, &'static str) + Copy + Send + Sync + 'static) -> impl IntoView {
    view! {
        <span class="badge" data-status=move || status().0>
            <span class="badge-shape" aria-hidden="true"></span>
            {move || status().1}
        </span>
    }
}
