//! How many scenarios there are of each outcome; pressed, only those are listed.

use crate::components::progress::OUTCOMES;
use crate::words;
use leptos::prelude::*;
use protocol::TaskStatus;
use protocol::api::TaskCounts;

#[component]
pub(super) fn OutcomeFilter(
    counts: Memo<TaskCounts>,
    /// None: all are listed.
    #[prop(into)]
    only: Signal<Option<TaskStatus>>,
    on_choose: Callback<Option<TaskStatus>>,
) -> impl IntoView {
    let item = move |status: TaskStatus| {
        let count = Memo::new(move |_| counts.with(|counts| counts.of_status(status)));
        let is_pressed = move || only.get() == Some(status);
        let press = move |_| on_choose.run((!is_pressed()).then_some(status));
        view! {
            <button class="legend-item" type="button" data-status=status.as_str() aria-pressed=move || is_pressed().to_string()
                hidden=move || count.get() == 0 && !is_pressed() on:click=press>
                {move || format!("{} {}", count.get(), words::task_status(status).to_ascii_lowercase())}
            </button>
        }
    };
    let done = move || {
        counts.with(|counts| format!("{} of {}", counts.ended(), words::plural(counts.total.into(), "scenario")))
    };
    view! {
        <div class="legend" role="group" aria-label="List only">
            {OUTCOMES.map(item).into_iter().collect_view()}
            <span class="progress-text">{done}</span>
        </div>
    }
}
