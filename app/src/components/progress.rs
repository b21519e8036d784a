//! How far a job has come: a bar of its tasks' outcomes, and the same in numbers.

use crate::words;
use leptos::prelude::*;
use protocol::api::TaskCounts;

/// `3 of 12 ended` with a bar.
#[component]
pub(crate) fn JobProgress(#[prop(into)] counts: Signal<TaskCounts>) -> impl IntoView {
    let text = move || format!("{} of {}", counts.get().ended(), words::plural(counts.get().total.into(), "scenario"));
    view! {
        <div class="progress">
            <progress aria-label="Progress" max=move || counts.get().total.max(1) prop:value=move || counts.get().ended()
                value=move || counts.get().ended() data-verdict=move || verdict(counts.get())></progress>
            <span class="progress-text">{text}</span>
        </div>
    }
}

/// The worst of what has come out so far, for the bar's colour.
const fn verdict(counts: TaskCounts) -> &'static str {
    match counts {
        TaskCounts { failed: 1.., .. } => "failed",
        TaskCounts { error: 1.., .. } => "error",
        TaskCounts { aborted: 1.., .. } => "aborted",
        _ => "passed",
    }
}

/// `9 passed, 2 failed, 1 running`: what there is of each, nothing of what there is none.
pub(crate) fn counted(counts: TaskCounts) -> String {
    let parts = [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.error, "error"),
        (counts.aborted, "aborted"),
        (counts.skipped, "skipped"),
        (counts.running, "running"),
        (counts.waiting, "waiting"),
    ];
    let told: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_there_is_gets_counted() {
        let counts = TaskCounts { total: 12, passed: 9, failed: 2, running: 1, ..TaskCounts::default() };
        assert_eq!(counted(counts), "9 passed, 2 failed, 1 running");
        assert_eq!(verdict(counts), "failed");
        assert_eq!(counted(TaskCounts::default()), "");
    }
}
