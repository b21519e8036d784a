//! A job's scenarios with how each went. A row keeps its place; only what changed in it is redrawn.

use super::status_badge::task_status_badge;
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
    let clock = expect_context::<Clock>();
    let count = Memo::new(move |_| tasks.with(Vec::len));
    let row = move |at: usize| {
        // None only in the moment in which the list itself goes away.
        let task = Memo::new(move |_| tasks.with(|tasks| tasks.get(at).cloned()));
        move || task.with(|task| task.as_ref().map(|task| task_row(task, log_href, clock)))
    };
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
                <For each=move || 0..count.get() key=|at| *at children=row />
            </tbody>
        </table>
    }
}

fn task_row(task: &Task, log_href: Callback<String, String>, clock: Clock) -> impl IntoView + use<> {
    let progress = percent(task).map(|percent| {
        let label = format!("Progress of {}", task.scenario);
        view! {
            <progress class="task-progress" max="100" value=percent.to_string() aria-label=label></progress>
            <span class="progress-text">{format!("{percent} %")}</span>
        }
    });
    view! {
        <tr role="row">
            <td role="cell" class="task-scenario">
                <span class="scenario">{task.scenario.clone()}</span>
                <span class="task-message">{task.message.clone()}</span>
            </td>
            <td role="cell" class="task-status">
                {task_status_badge(task.status)}
                {progress}
            </td>
            <td role="cell" class="task-took">{took(task.started_at, task.finished_at, clock)}</td>
            <td role="cell" class="task-log">
                <a href=log_href.run(task.task_id.clone()) data-noscroll="">
                    {words::size(task.log_size)}
                    <span class="visually-hidden">{format!(", log of {}", task.scenario)}</span>
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
