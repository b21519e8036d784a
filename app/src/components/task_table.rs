//! A job's scenarios with how each went. A row keeps its place; only what changed in it is redrawn.

use super::status_badge::task_status_badge;
use super::time_stamp::took;
use crate::boxed::memo;
use crate::html::{Html, Keyed, el, keyed, live};
use crate::poll::Clock;
use crate::words;
use leptos::prelude::*;
use protocol::TaskStatus;
use protocol::api::Task;

/// `log_href`: where the log of the task with this id is shown.
pub(crate) fn task_table(tasks: Signal<Vec<Task>>, log_href: Callback<String, String>) -> Html {
    let clock = expect_context::<Clock>();
    let count = memo(move || tasks.with(Vec::len));
    let row = move |at: usize| {
        // None only in the moment in which the list itself goes away.
        let task = memo(move || tasks.with(|tasks| tasks.get(at).cloned()));
        live(move || task.with(|task| task.as_ref().map(|task| task_row(task, log_href, clock))))
    };
    // A job's tasks are never more or fewer, nor in another order.
    let rows = move || (0..count.get()).map(|at| Keyed::new(at, move || row(at))).collect();
    let column = |name: &'static str| el("th").attr("role", "columnheader").attr("scope", "col").child(name);
    let columns = ["Scenario", "Status", "Took", "Log"].map(column);
    let titles = el("tr").attr("role", "row").child(Vec::from(columns));
    el("table")
        .class("table task-table")
        .attr("role", "table")
        .attr("aria-label", "Scenarios")
        .child(el("thead").attr("role", "rowgroup").child(titles))
        .child(el("tbody").attr("role", "rowgroup").child(keyed(rows)))
}

fn task_row(task: &Task, log_href: Callback<String, String>, clock: Clock) -> Html {
    let cell = |class: &'static str| el("td").attr("role", "cell").class(class);
    let progress = percent(task).map(|percent| {
        let bar = el("progress")
            .class("task-progress")
            .attr("max", "100")
            .attr("value", percent.to_string())
            .attr("aria-label", format!("Progress of {}", task.scenario));
        vec![bar, el("span").class("progress-text").child(format!("{percent} %"))]
    });
    let scenario = cell("task-scenario")
        .child(el("span").class("scenario").child(task.scenario.clone()))
        .child(el("span").class("task-message").child(task.message.clone()));
    let log = el("a")
        .attr("href", log_href.run(task.task_id.clone()))
        .child(words::size(task.log_size))
        .child(el("span").class("visually-hidden").child(format!(", log of {}", task.scenario)));
    el("tr")
        .attr("role", "row")
        .child(scenario)
        .child(cell("task-status").child(task_status_badge(task.status)).child(progress))
        .child(cell("task-took").child(took(task.started_at, task.finished_at, clock)))
        .child(cell("task-log").child(log))
}

/// Of a running task that tells.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to 0..=100 just before
fn percent(task: &Task) -> Option<u32> {
    let progress = task.progress.filter(|_| task.status == TaskStatus::Running)?;
    Some((progress.clamp(0.0, 1.0) * 100.0) as u32)
}
