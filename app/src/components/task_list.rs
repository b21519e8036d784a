//! The logs of a job to choose from: the queue's own and one per task. Links, so that each has its own URL.

use super::status_badge::TaskStatusBadge;
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
    let items = move || {
        let chosen = chosen.get();
        let item_of = |task: &Task| {
            let is_chosen = chosen.as_ref() == Some(&task.task_id);
            item(&task.task_id, &task.scenario, Some(task.status), is_chosen, href)
        };
        let queue = item("", "Queue log", None, chosen.is_none(), href);
        tasks.with(|tasks| std::iter::once(queue).chain(tasks.iter().map(item_of)).collect_view())
    };
    view! {
        <ul class="task-list" aria-label="Tasks">
            {items}
        </ul>
    }
}

fn item(
    id: &str,
    name: &str,
    status: Option<TaskStatus>,
    is_chosen: bool,
    href: Callback<String, String>,
) -> impl IntoView + use<> {
    view! {
        <li>
            <a href=href.run(id.to_owned()) aria-current=is_chosen.then_some("true") data-noscroll="">
                <span class="scenario">{name.to_owned()}</span>
                {status.map(|status| view! { <TaskStatusBadge status /> })}
            </a>
        </li>
    }
}
