//! The logs of a job to choose from: the queue's own and one per task. Links, so that each has its own URL.

use super::status_badge::TaskStatusBadge;
use leptos::html::Ul;
use leptos::prelude::*;
use protocol::TaskStatus;
use protocol::api::Task;
use web_sys::HtmlUListElement;

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
    let list = NodeRef::<Ul>::new();
    Effect::new(move |_| {
        chosen.track();
        if let Some(list) = list.get() {
            request_animation_frame(move || show_chosen(&list));
        }
    });
    view! {
        <ul class="task-list" aria-label="Tasks" node_ref=list>
            {items}
        </ul>
    }
}

/// In the middle of the list, unless it is in sight; the page around it stays where it is.
#[allow(clippy::cast_possible_truncation)] // pixels of a list
fn show_chosen(list: &HtmlUListElement) {
    let Ok(Some(chosen)) = list.query_selector("[aria-current]") else { return };
    let (window, chosen) = (list.get_bounding_client_rect(), chosen.get_bounding_client_rect());
    if chosen.top() < window.top() || chosen.bottom() > window.bottom() {
        let middle = |place: &web_sys::DomRect| place.top() + place.height() / 2.0;
        list.set_scroll_top(list.scroll_top() + (middle(&chosen) - middle(&window)) as i32);
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
