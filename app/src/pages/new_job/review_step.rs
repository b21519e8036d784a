//! Step 3: all of it once more, and off it goes.

use super::draft::Draft;
use super::steps::{Step, Steps};
use crate::client::{self, ClientError};
use crate::components::facts::{Fact, Facts};
use crate::components::notice::{Alert, StatusNote};
use crate::pending::Pending;
use crate::{browser, paths, words};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::api::ErrorCode;

#[component]
pub(super) fn ReviewStep(draft: Draft, steps: Steps) -> impl IntoView {
    let navigate = use_navigate();
    let problem = RwSignal::new(None::<String>);
    let pending = Pending::new();
    let submit = move |_| {
        let Some(request) = draft.request() else { return };
        let navigate = navigate.clone();
        let key = draft.idempotency_key.get_value().unwrap_or_else(browser::new_idempotency_key);
        draft.idempotency_key.set_value(Some(key.clone()));
        problem.set(None);
        pending.run(async move {
            match client::submit_job(&request, key).await {
                Ok(job) => navigate(&paths::job(job.summary.id), NavigateOptions::default()),
                Err(error) => problem.set(Some(advice(&error))),
            }
        });
    };
    let branch = draft.validated.get_untracked();
    let scenarios: Vec<String> = draft.picked.get_untracked().into_iter().collect();
    let count = words::plural(scenarios.len() as u64, "scenario");
    view! {
        {branch.map(|branch| view! {
            <Facts>
                <Fact name="Environment">{branch.environment}</Fact>
                <Fact name="Branch"><span class="branch">{branch.branch_name}</span></Fact>
                <Fact name="Commit"><code>{words::short_commit(&branch.commit).to_owned()}</code></Fact>
            </Facts>
        })}
        <h2>{count}</h2>
        <ul class="picked" aria-label="Selected scenarios">
            {scenarios.into_iter().map(|scenario| view! { <li class="scenario">{scenario}</li> }).collect_view()}
        </ul>
        <StatusNote message=Signal::derive(move || pending.get().then(|| "Submitting the job…".to_owned())) />
        <Alert message=problem />
        <div class="step-buttons">
            <button class="button" type="button" on:click=move |_| steps.go(Step::Scenarios)>"Back"</button>
            <button class="button is-primary" type="button" aria-disabled=move || pending.as_aria()
                on:click=submit>"Submit job"</button>
        </div>
    }
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
