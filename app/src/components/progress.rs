//! How far a job has come: a bar of its tasks' outcomes, and the same in numbers.

use crate::html::{Html, el};
use crate::words;
use protocol::api::TaskCounts;

/// `3 of 12 scenarios` with a bar whose parts are the outcomes.
pub(crate) fn job_progress(counts: TaskCounts) -> Html {
    let text = format!("{} of {}", counts.ended(), words::plural(counts.total.into(), "scenario"));
    let bar = el("div")
        .class("outcomes")
        .attr("role", "progressbar")
        .attr("aria-label", "Progress")
        .attr("aria-valuemin", "0")
        .attr("aria-valuemax", counts.total.to_string())
        .attr("aria-valuenow", counts.ended().to_string())
        .attr("aria-valuetext", counted(counts))
        .child(outcomes(counts));
    el("div").class("progress").child(bar).child(el("span").class("progress-text").child(text))
}

/// The same bar where the numbers stand beside it, for the eye alone.
pub(crate) fn outcome_bar(counts: TaskCounts) -> Html {
    el("div").class("outcomes").attr("aria-hidden", "true").child(outcomes(counts))
}

fn outcomes(counts: TaskCounts) -> Vec<Html> {
    let part = |(count, status): (u32, &'static str)| {
        el("span").attr("data-status", status).attr("style", format!("flex-grow:{count}"))
    };
    parts(counts).into_iter().map(part).collect()
}

/// What ended first, what waits last.
const fn parts(counts: TaskCounts) -> [(u32, &'static str); 7] {
    [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.error, "error"),
        (counts.aborted, "aborted"),
        (counts.skipped, "skipped"),
        (counts.running, "running"),
        (counts.waiting, "waiting"),
    ]
}

/// `9 passed, 2 failed, 1 running`: what there is of each, nothing of what there is none.
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
        assert_eq!(counted(counts), "9 passed, 2 failed, 1 running");
        assert_eq!(counted(TaskCounts::default()), "");
    }
}
