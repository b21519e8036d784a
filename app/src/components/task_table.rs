//! A job's scenarios with how each went. A row keeps its place; only what changed in it is redrawn.

use super::status_badge::TaskStatusBadge;
use super::time_stamp::Took;
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
                <For each=move || 0..count.get() key=|at| *at let:at>
                    <TaskRow task=nth(tasks, at) log_href />
                </For>
            </tbody>
        </table>
    }
}

/// `None` only in the moment in which the list itself goes away.
pub(crate) fn nth(tasks: Signal<Vec<Task>>, at: usize) -> Memo<Option<Task>> {
    Memo::new(move |_| tasks.with(|tasks| tasks.get(at).cloned()))
}

#[component]
fn TaskRow(task: Memo<Option<Task>>, log_href: Callback<String, String>) -> impl IntoView {
    let (id, scenario) = task.with_untracked(|task| {
        task.as_ref().map(|task| (task.task_id.clone(), task.scenario.clone())).unwrap_or_default()
    });
    let status = Memo::new(move |_| task.with(|task| task.as_ref().map_or(TaskStatus::Waiting, |task| task.status)));
    let started_at = Signal::derive(move || task.with(|task| task.as_ref().and_then(|task| task.started_at)));
    let finished_at = Signal::derive(move || task.with(|task| task.as_ref().and_then(|task| task.finished_at)));
    let message = move || task.with(|task| task.as_ref().map(|task| task.message.clone()).unwrap_or_default());
    let percent = Memo::new(move |_| task.with(|task| task.as_ref().and_then(percent)));
    let log_size = move || words::size(task.with(|task| task.as_ref().map_or(0, |task| task.log_size)));
    let log_of = format!(", log of {scenario}");
    let progress_label = format!("Progress of {scenario}");
    view! {
        <tr role="row">
            <td role="cell" class="task-scenario">
                <span class="scenario">{scenario}</span>
                <span class="task-message">{message}</span>
            </td>
            <td role="cell" class="task-status">
                <TaskStatusBadge status />
                {move || {
                    let label = progress_label.clone();
                    percent.get().map(|percent| view! {
                        <progress class="task-progress" max="100" value=percent aria-label=label></progress>
                        <span class="progress-text">{format!("{percent} %")}</span>
                    })
                }}
            </td>
            <td role="cell" class="task-took"><Took from=started_at until=finished_at /></td>
            <td role="cell" class="task-log">
                <a href=log_href.run(id) data-noscroll="">
                    {log_size}
                    <span class="visually-hidden">{log_of}</span>
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
