//! The logs of a job to choose from: the queue's own and one per task. Links, so that each has its own URL.

use super::status_badge::task_status_badge;
use crate::html::{Html, el, live};
use leptos::prelude::*;
use protocol::TaskStatus;
use protocol::api::Task;

/// `chosen`: whose log is open; none for the queue's own. `href`: where the log of the task with this id is shown;
/// the queue's own for an empty id.
pub(crate) fn task_list(
    tasks: Signal<Vec<Task>>,
    chosen: Signal<Option<String>>,
    href: Callback<String, String>,
) -> Html {
    let items = move || {
        let chosen = chosen.get();
        let item_of = |task: &Task| {
            let is_chosen = chosen.as_ref() == Some(&task.task_id);
            item(&task.task_id, &task.scenario, Some(task.status), is_chosen, href)
        };
        let queue = item("", "Queue", None, chosen.is_none(), href);
        tasks.with(|tasks| std::iter::once(queue).chain(tasks.iter().map(item_of)).collect::<Vec<_>>())
    };
    el("ul").class("task-list").attr("aria-label", "Tasks").child(live(items))
}

fn item(id: &str, name: &str, status: Option<TaskStatus>, is_chosen: bool, href: Callback<String, String>) -> Html {
    let link = el("a")
        .attr("href", href.run(id.to_owned()))
        .attr_if("aria-current", is_chosen.then_some("true"))
        .child(el("span").class("scenario").child(name))
        .child(status.map(task_status_badge));
    el("li").child(link)
}
