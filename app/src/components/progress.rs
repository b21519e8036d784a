//! How far a job has come: a bar of its tasks' outcomes, and the same in numbers.

use leptos::prelude::*;
use protocol::TaskStatus;
use protocol::api::TaskCounts;

/// A bar whose parts are the outcomes.
#[component]
pub(crate) fn JobProgress(counts: TaskCounts) -> impl IntoView {
    view! {
        <div class="progress">
            <div
                class="outcomes"
                role="progressbar"
                aria-label="Progress"
                aria-valuemin="0"
                aria-valuemax=counts.total.to_string()
                aria-valuenow=counts.ended().to_string()
                aria-valuetext=counted(counts)
            >
                {outcomes(counts)}
            </div>
        </div>
    }
}

/// The same bar where the numbers stand beside it, for the eye alone.
#[component]
pub(crate) fn OutcomeBar(counts: TaskCounts) -> impl IntoView {
    view! {
        <div class="outcomes" aria-hidden="true">
            {outcomes(counts)}
        </div>
    }
}

fn outcomes(counts: TaskCounts) -> impl IntoView {
    let part = |(count, status): (u32, &'static str)| {
        view! { <span data-status=status style=format!("flex-grow:{count}")></span> }
    };
    parts(counts).into_iter().filter(|(count, _)| *count > 0).map(part).collect_view()
}

/// What one looks for first, what waits last.
pub(crate) const OUTCOMES: [TaskStatus; 7] = [
    TaskStatus::Failed,
    TaskStatus::Error,
    TaskStatus::Aborted,
    TaskStatus::Passed,
    TaskStatus::Skipped,
    TaskStatus::Running,
    TaskStatus::Waiting,
];

fn parts(counts: TaskCounts) -> [(u32, &'static str); 7] {
    OUTCOMES.map(|status| (counts.of_status(status), status.as_str()))
}

/// `2 failed, 9 passed, 1 running`: what there is of each, nothing of what there is none.
pub(crate) fn counted(counts: TaskCounts) -> String {
    let parts = parts(counts).into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_there_is_gets_counted() {
        let counts = TaskCounts { total: 12, passed: 9, failed: 2, running: 1, ..TaskCounts::default() };
        assert_eq!(counted(counts), "2 failed, 9 passed, 1 running");
        assert_eq!(counted(TaskCounts::default()), "");
    }
}
