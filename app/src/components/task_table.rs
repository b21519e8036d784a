//! A job's scenarios with how each went. A row keeps its place; only what changed in it is redrawn.

use super::status_badge::TaskStatusBadge;
use super::time_stamp::took;
use crate::poll::Clock;
use crate::words;
use leptos::prelude::*;
use protocol::TaskStatus;
use protocol::api::Task;

#[component]
pub(crate) fn TaskTable(
    #[prop(into)] tasks: Signal<Vec<Task>>,
    /// Where the log of the task with this id is shown.
    log_href: Callback<String, String>,
) -> impl IntoView {
    let count = Memo::new(move |_| tasks.with(Vec::len));
    view! {
        <table class="table task-table" role="table" aria-label="Scenarios">
            <thead role="rowgroup">
                <tr role="row">
                    <th role="columnheader" scope="col">"Scenario"</th>
                    <th role="columnheader" scope="col">"Status"</th>
                    <th role="columnheader" scope="col">"Took"</th>
                    <th role="columnheader" scope="col">"Log"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                // A job's tasks are never more or fewer, nor in another order.
                <For each=move || 0..count.get() key=|at| *at children=move |at| view! { <TaskRow tasks at log_href /> } />
            </tbody>
        </table>
    }
}

/// A row keeps its place; what changed in it is drawn anew.
#[component]
fn TaskRow(tasks: Signal<Vec<Task>>, at: usize, log_href: Callback<String, String>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    // None only in the moment in which the list itself goes away.
    let task = Memo::new(move |_| tasks.with(|tasks| tasks.get(at).cloned()));
    let text = move |read: fn(&Task) -> &String| task.with(|task| task.as_ref().map(read).cloned().unwrap_or_default());
    let status = Memo::new(move |_| task.with(|task| task.as_ref().map(|task| task.status)));
    let percent = Memo::new(move |_| task.with(|task| task.as_ref().and_then(percent)));
    let times = Memo::new(move |_| task.with(|task| task.as_ref().map(|task| (task.started_at, task.finished_at))));
    let log_size = Memo::new(move |_| task.with(|task| task.as_ref().map_or(0, |task| task.log_size)));
    // Never another for a row's task.
    let (scenario, task_id) = task
        .with_untracked(|task| task.as_ref().map(|task| (task.scenario.clone(), task.task_id.clone())))
        .unwrap_or_default();
    let (progress_label, log_label) = (format!("Progress of {scenario}"), format!(", log of {scenario}"));
    let progress = move || {
        percent.get().map(|percent| {
            view! {
                <progress class="task-progress" max="100" value=percent.to_string() aria-label=progress_label.clone()>
                </progress>
                <span class="progress-text">{format!("{percent} %")}</span>
            }
        })
    };
    view! {
        <tr role="row">
            <td role="cell" class="task-scenario">
                <span class="scenario">{scenario}</span>
                <span class="task-message">{move || text(|task| &task.message)}</span>
            </td>
            <td role="cell" class="task-status">
                {move || status.get().map(|status| view! { <TaskStatusBadge status /> })}
                {progress}
            </td>
            <td role="cell" class="task-took">
                {move || times.get().map(|(from, until)| took(from, until, clock))}
            </td>
            <td role="cell" class="task-log">
                <a href=log_href.run(task_id) data-noscroll="">
                    {move || words::size(log_size.get())}
                    <span class="visually-hidden">{log_label}</span>
                </a>
            </td>
        </tr>
    }
}

/// Of a running task that tells.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to 0..=100 just before
fn percent(task: &Task) -> Option<u32> {
    let progress = task.progress.filter(|_| task.status == TaskStatus::Running)?;
    Some((progress.clamp(0.0, 1.0) * 100.0) as u32)
}
