//! A job's scenarios with how each went. A row keeps its place; only what changed in it is redrawn.

use super::status_badge::TaskStatusBadge;
use super::time_stamp::{TimeStamp, took};
use crate::poll::Clock;
use crate::words;
use leptos::prelude::*;
use protocol::api::{LastPassed, Task};
use protocol::{JobId, TaskStatus};

/// Where things of a task are shown.
#[derive(Clone, Copy)]
pub(crate) struct TaskLinks {
    /// The log and the result files of the task with this id.
    pub(crate) log: Callback<String, String>,
    /// How a scenario went before.
    pub(crate) history: Callback<String, String>,
    pub(crate) job: fn(JobId) -> String,
    /// This job beside an earlier one.
    pub(crate) compare: Callback<JobId, String>,
}

#[component]
pub(crate) fn TaskTable(
    #[prop(into)] tasks: Signal<Vec<Task>>,
    /// Which of them are listed, in this order.
    #[prop(into)]
    listed: Signal<Vec<usize>>,
    /// What the job ran, beside what it had passed with.
    commit: String,
    links: TaskLinks,
) -> impl IntoView {
    let commit = StoredValue::new(commit);
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
                // A job's tasks are never more or fewer: a row is known by its task's place.
                <For each=move || listed.get() key=|at| *at children=move |at| view! { <TaskRow tasks at commit links /> } />
            </tbody>
        </table>
    }
}

/// A row keeps its place; what changed in it is drawn anew.
#[component]
fn TaskRow(tasks: Signal<Vec<Task>>, at: usize, commit: StoredValue<String>, links: TaskLinks) -> impl IntoView {
    let clock = expect_context::<Clock>();
    // None only in the moment in which the list itself goes away.
    let task = Memo::new(move |_| tasks.with(|tasks| tasks.get(at).cloned()));
    let text = move |read: fn(&Task) -> &String| task.with(|task| task.as_ref().map(read).cloned().unwrap_or_default());
    let status = Memo::new(move |_| task.with(|task| task.as_ref().map(|task| task.status)));
    let share = Memo::new(move |_| task.with(|task| task.as_ref().and_then(progress_of)));
    let times = Memo::new(move |_| task.with(|task| task.as_ref().map(|task| (task.started_at, task.finished_at))));
    let log_size = Memo::new(move |_| task.with(|task| task.as_ref().map_or(0, |task| task.log_size)));
    let before = Memo::new(move |_| task.with(|task| task.as_ref().and_then(|task| task.last_passed.clone())));
    // Never another for a row's task.
    let (scenario, task_id) = task
        .with_untracked(|task| task.as_ref().map(|task| (task.scenario.clone(), task.task_id.clone())))
        .unwrap_or_default();
    let (progress_label, log_label) = (format!("Progress of {scenario}"), format!(", log of {scenario}"));
    let progress = move || {
        share.get().map(|share| {
            let value = words::whole_percent(share).to_string();
            view! {
                <progress class="task-progress" max="100" value=value aria-label=progress_label.clone()></progress>
                <span class="progress-text">{words::percent(share)}</span>
            }
        })
    };
    let history = links.history.run(scenario.clone());
    let since = move || before.get().map(|before| view! { <Since before commit=commit.get_value() links /> });
    view! {
        <tr role="row" data-status=move || status.get().map(TaskStatus::as_str)>
            <td role="cell" class="task-scenario">
                <a class="scenario" href=history title=scenario.clone()>{scenario.clone()}</a>
                <span class="task-message">{move || text(|task| &task.message)}</span>
                {since}
            </td>
            <td role="cell" class="task-status">
                {move || status.get().map(|status| view! { <TaskStatusBadge status /> })}
                {progress}
            </td>
            <td role="cell" class="task-took">
                {move || times.get().map(|(from, until)| took(from, until, clock))}
            </td>
            <td role="cell" class="task-log">
                <a href=move || links.log.run(task_id.clone()) data-noscroll="">
                    {move || words::size(log_size.get())}
                    <span class="visually-hidden">{log_label}</span>
                </a>
            </td>
        </tr>
    }
}

/// What changed since it last passed.
#[component]
fn Since(before: LastPassed, commit: String, links: TaskLinks) -> impl IntoView {
    let LastPassed { job_id, commit: passed_with, finished_at } = before;
    let short = |commit: &str| words::short_commit(commit).to_owned();
    let change = if passed_with == commit {
        view! { <span>"with the same commit"</span> }.into_any()
    } else {
        view! {
            <span>
                "with " <code title=passed_with.clone()>{short(&passed_with)}</code>
                ", now " <code title=commit.clone()>{short(&commit)}</code>
            </span>
        }
        .into_any()
    };
    view! {
        <span class="since">
            <span>"Last passed in " <a href=(links.job)(job_id)>{format!("#{job_id}")}</a></span>
            <TimeStamp at=finished_at />
            {change}
            <a href=links.compare.run(job_id)>"Compare"<span class="visually-hidden">{format!(" with job #{job_id}")}</span></a>
        </span>
    }
}

/// Of a running task that tells.
fn progress_of(task: &Task) -> Option<f64> {
    task.progress.filter(|_| task.status == TaskStatus::Running)
}
