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
    // A job's tasks are never more or fewer: a row is known by its task's place.
    let row = |(at, task): (usize, Task)| {
        let status = Memo::new(move |_| tasks.with(|tasks| tasks.get(at).map(|task| task.status)));
        view! { <Row id=task.task_id name=task.scenario status chosen href /> }
    };
    let rows = tasks.get_untracked().into_iter().enumerate().map(row).collect_view();
    let list = NodeRef::<Ul>::new();
    Effect::new(move |_| {
        chosen.track();
        if let Some(list) = list.get() {
            request_animation_frame(move || show_chosen(&list));
        }
    });
    view! {
        <ul class="task-list" aria-label="Tasks" node_ref=list>
            <Row id=String::new() name="Queue log".to_owned() status=Signal::stored(None) chosen href />
            {rows}
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

#[component]
fn Row(
    id: String,
    name: String,
    #[prop(into)] status: Signal<Option<TaskStatus>>,
    chosen: Signal<Option<String>>,
    href: Callback<String, String>,
) -> impl IntoView {
    let of = id.clone();
    let address = move || href.run(of.clone());
    let is_chosen = move || chosen.with(|chosen| chosen.as_deref().unwrap_or_default() == id);
    view! {
        <li>
            <a href=address title=name.clone() aria-current=move || is_chosen().then_some("true") data-noscroll="">
                <span class="scenario">{name.clone()}</span>
                {move || status.get().map(|status| view! { <TaskStatusBadge status /> })}
            </a>
        </li>
    }
}
