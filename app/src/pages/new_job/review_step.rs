//! Step 3: all of it once more, and off it goes.

use super::draft::Draft;
use super::steps::{Step, Steps};
use crate::client::{self, ClientError};
use crate::components::facts::{Fact, Facts};
use crate::components::notice::{Alert, StatusNote};
use crate::components::scenario_tree::Figures;
use crate::components::toasts::Toasts;
use crate::pending::Pending;
use crate::{paths, words};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::api::{Environment, ErrorCode, Health, ValidateBranchRequest, ValidatedBranch};
use std::time::Duration;

#[component]
pub(super) fn ReviewStep(draft: Draft, steps: Steps, environments: Vec<Environment>) -> impl IntoView {
    let navigate = use_navigate();
    let toasts = Toasts::of_context();
    let problem = RwSignal::new(None::<String>);
    let pending = Pending::new();
    let submit = move |_| {
        let Some(request) = draft.request() else { return };
        let navigate = navigate.clone();
        let key = draft.idempotency_key.get_value().unwrap_or_else(client::new_idempotency_key);
        draft.idempotency_key.set_value(Some(key.clone()));
        problem.set(None);
        let shown = draft.validated.get_untracked();
        pending.run(async move {
            if let Some((moved, now)) = moved(shown).await {
                if !problem.is_disposed() {
                    draft.validated.set(Some(now));
                    // Read anew, should somebody go back to choose.
                    draft.offered.set(None);
                    problem.set(Some(moved));
                }
                return;
            }
            match client::submit_job(&request, key).await {
                Ok(job) => {
                    Draft::submitted(&request);
                    if problem.is_disposed() {
                        // Whoever has gone on to another view is told there, not taken away from it.
                        return toasts.done(format!("Job #{} submitted.", job.summary.id));
                    }
                    navigate(&paths::job(job.summary.id), NavigateOptions::default());
                }
                Err(error) if problem.is_disposed() => toasts.failed(error.message()),
                Err(error) => problem.set(Some(advice(&error))),
            }
        });
    };
    let branch = draft.validated.get_untracked();
    let commit = move || draft.validated.with(|branch| branch.as_ref().map(|branch| branch.commit.clone()));
    let scenarios = draft.chosen();
    let line =
        branch.as_ref().and_then(|branch| environments.iter().find(|one| one.name == branch.environment)).map(line);
    let picked = scenarios.clone();
    let takes = move || draft.figures.with(|figures| takes(&picked, figures));
    let count = words::plural(scenarios.len() as u64, "scenario");
    view! {
        {branch.map(|branch| view! {
            <Facts>
                <Fact name="Environment">{branch.environment}</Fact>
                <Fact name="Branch"><span class="branch">{branch.branch_name}</span></Fact>
                <Fact name="Commit"><code>{commit}</code></Fact>
                <Fact name="Usually takes">{takes}</Fact>
                <Fact name="Waiting line">{line}</Fact>
            </Facts>
        })}
        <h2>{count}</h2>
        <ul class="picked" aria-label="Selected scenarios" tabindex="0">
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

/// What to say where the branch is no longer where it was when it was looked at, and where it is now. What else may be
/// wrong says the submission.
async fn moved(shown: Option<ValidatedBranch>) -> Option<(String, ValidatedBranch)> {
    let shown = shown?;
    let request =
        ValidateBranchRequest { environment: Some(shown.environment), branch_name: shown.branch_name.clone() };
    let now = client::validate_branch(&request).await.ok().filter(|now| now.commit != shown.commit)?;
    let [from, to] = [&shown.commit, &now.commit].map(|commit| words::short_commit(commit).to_owned());
    Some((
        format!("{} has moved from {from} to {to}. Look again, and submit what is there now.", shown.branch_name),
        now,
    ))
}

/// The usual durations together: what it takes where one runs after the other.
fn takes(scenarios: &[String], figures: &Figures) -> String {
    let known: Vec<i64> = scenarios.iter().filter_map(|scenario| figures.get(scenario)?.median_ms).collect();
    if known.is_empty() {
        return "Not known yet".to_owned();
    }
    let sum = Duration::from_millis(u64::try_from(known.iter().sum::<i64>()).unwrap_or(0));
    match scenarios.len() - known.len() {
        0 if known.len() == 1 => format!("About {}", words::duration(sum)),
        0 => format!("About {}, one after the other", words::duration(sum)),
        unknown => format!(
            "About {} and {} that never ran here",
            words::duration(sum),
            words::plural(unknown as u64, "scenario")
        ),
    }
}

fn line(environment: &Environment) -> String {
    if environment.health == Health::Unreachable {
        return "Unreachable at present: it is sent as soon as it answers".to_owned();
    }
    match (environment.slots, environment.busy, environment.waiting.unwrap_or(0)) {
        (Some(slots), Some(busy), 0) if busy < slots => "Starts at once".to_owned(),
        (_, _, 0) => "Next".to_owned(),
        (_, _, waiting) => format!("Behind {}", words::plural(waiting.into(), "job")),
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
