//! Step 3: all of it once more, and off it goes.

use super::draft::Draft;
use super::steps::{Step, Steps};
use crate::client::{self, ClientError};
use crate::components::facts::{fact, facts};
use crate::components::notice::{alert, status_note};
use crate::html::{Child, el};
use crate::navigation::Navigation;
use crate::pending::Pending;
use crate::{browser, paths, words};
use leptos::prelude::*;
use protocol::api::ErrorCode;

pub(super) fn review_step(draft: Draft, steps: Steps) -> AnyView {
    let navigation = Navigation::of_context();
    let problem = RwSignal::new(None::<String>);
    let pending = Pending::new();
    let submit = move |_| {
        let Some(request) = draft.request() else { return };
        let key = draft.idempotency_key.get_value().unwrap_or_else(browser::new_idempotency_key);
        draft.idempotency_key.set_value(Some(key.clone()));
        problem.set(None);
        pending.run(async move {
            match client::submit_job(&request, key).await {
                Ok(job) => navigation.go(&paths::job(job.summary.id)),
                Err(error) if error.is(ErrorCode::Unauthenticated) => browser::leave_for_login(),
                Err(error) => problem.set(Some(advice(&error))),
            }
        });
    };
    let branch = draft.validated.get_untracked();
    let scenarios: Vec<String> = draft.picked.get_untracked().into_iter().collect();
    let count = words::plural(scenarios.len() as u64, "scenario");
    let facts = branch.map(|branch| {
        facts(vec![
            fact("Environment", branch.environment),
            fact("Branch", el("span").class("branch").child(branch.branch_name)),
            fact("Commit", el("code").child(words::short_commit(&branch.commit))),
        ])
    });
    let scenario = |scenario: String| el("li").class("scenario").child(scenario);
    let picked = el("ul")
        .class("picked")
        .attr("aria-label", "Selected scenarios")
        .child(scenarios.into_iter().map(scenario).collect::<Vec<_>>());
    let under_way = Signal::derive(move || pending.get().then(|| "Submitting the job…".to_owned()));
    let back = move |_| steps.go(Step::Scenarios);
    let buttons = el("div")
        .class("step-buttons")
        .child(el("button").class("button").attr("type", "button").on("click", back).child("Back"))
        .child(
            el("button")
                .class("button is-primary")
                .attr("type", "button")
                .attr_of("aria-disabled", move || Some(pending.as_aria().to_owned()))
                .on("click", submit)
                .child("Submit job"),
        );
    vec![
        facts.drawn(),
        el("h2").child(count).drawn(),
        picked.drawn(),
        status_note(under_way).drawn(),
        alert(problem.into()).drawn(),
        buttons.drawn(),
    ]
    .drawn()
}

/// What the API says, and where in the wizard that is mended.
fn advice(error: &ClientError) -> String {
    let more = match error.code() {
        Some(ErrorCode::BranchNotFound | ErrorCode::ScenarioNotFound) => " Go back and choose again.",
        Some(ErrorCode::BranchMoved | ErrorCode::EnvironmentUnreachable | ErrorCode::Unavailable) => {
            " Submit again in a moment."
        }
        _ => "",
    };
    error.message() + more
}
