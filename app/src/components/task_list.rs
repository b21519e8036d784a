//! The logs of a job to choose from: the queue's own and one per task. Links, so that each has its own URL.

use super::status_badge::TaskStatusBadge;
use super::task_table::nth;
use leptos::prelude::*;
use protocol::TaskStatus;
use protocol::api::Task;

#[component]
pub(crate) fn TaskList(
    #[prop(into)] tasks: Signal<Vec<Task>>,
    /// Whose log is open; none for the queue's own.
    #[prop(into)]
    chosen: Signal<Option<String>>,
    /// Where the log of the task with this id is shown; the queue's own for an empty id.
    href: Callback<String, String>,
) -> impl IntoView {
    let count = Memo::new(move |_| tasks.with(Vec::len));
    let queue_is_chosen = move || chosen.with(Option::is_none).then_some("true");
    view! {
        <ul class="task-list" aria-label="Tasks">
            <li>
                <a href=href.run(String::new()) aria-current=queue_is_chosen data-noscroll="">
                    <span class="scenario">"Queue"</span>
                </a>
            </li>
            <For each=move || 0..count.get() key=|at| *at let:at>
                <Item task=nth(tasks, at) chosen href />
            </For>
        </ul>
    }
}

#[component]
fn Item(task: Memo<Option<Task>>, chosen: Signal<Option<String>>, href: Callback<String, String>) -> impl IntoView {
    let (id, scenario) = task.with_untracked(|task| {
        task.as_ref().map(|task| (task.task_id.clone(), task.scenario.clone())).unwrap_or_default()
    });
    let status = Memo::new(move |_| task.with(|task| task.as_ref().map_or(TaskStatus::Waiting, |task| task.status)));
    let link = href.run(id.clone());
    let is_chosen = move || chosen.with(|chosen| chosen.as_deref() == Some(id.as_str())).then_some("true");
    view! {
        <li>
            <a href=link aria-current=is_chosen data-noscroll="">
                <span class="scenario">{scenario}</span>
                <TaskStatusBadge status />
            </a>
        </li>
    }
}
