//! Step 1: where, and which branch. "Validate" asks the environment's repository over SSH whether the branch exists.

use super::draft::Draft;
use super::steps::{Step, Steps};
use crate::client::{self, ClientError};
use crate::components::field::{Field, Select};
use crate::components::notice::StatusNote;
use crate::pending::Pending;
use crate::reload::later;
use crate::words;
use leptos::prelude::*;
use protocol::api::{Environment, ErrorCode, Health, ValidateBranchRequest};
use protocol::names::is_branch_name;

#[component]
pub(super) fn BranchStep(draft: Draft, steps: Steps, environments: Vec<Environment>) -> impl IntoView {
    let branch_error = RwSignal::new(None::<String>);
    let environment_error = RwSignal::new(None::<String>);
    let pending = Pending::new();
    // "Next" may be pressed while "Validate" is still being answered; then it is not lost.
    let goes_on = StoredValue::new(false);
    let validate = move |then_goes_on: bool| {
        if pending.get() {
            return goes_on.update_value(|goes_on| *goes_on |= then_goes_on);
        }
        goes_on.set_value(then_goes_on);
        let request = ValidateBranchRequest {
            environment: Some(draft.environment.get_untracked()),
            branch_name: draft.branch.get_untracked().trim().to_owned(),
        };
        branch_error.set(None);
        environment_error.set(None);
        draft.validated.set(None);
        pending.run(async move {
            match check(&request).await {
                // Answers to what has been changed or left meanwhile are of no use.
                Ok(_) if draft.branch.try_get_untracked().is_none_or(|now| now.trim() != request.branch_name) => {}
                Ok(found) => {
                    draft.validated.set(Some(found));
                    if goes_on.get_value() {
                        steps.go(Step::Scenarios);
                    }
                }
                Err(Trouble::Branch(message)) => branch_error.set(Some(message)),
                Err(Trouble::Environment(message)) => environment_error.set(Some(message)),
            }
        });
    };
    let next = move |_| {
        if draft.validated.with_untracked(Option::is_some) { steps.go(Step::Scenarios) } else { validate(true) }
    };
    let note = Signal::derive(move || {
        if pending.get() {
            return Some("Asking the environment's repository…".to_owned());
        }
        let found = draft.validated.get()?;
        Some(format!("{} is at {}.", found.branch_name, words::short_commit(&found.commit)))
    });
    view! {
        <form class="form" on:submit=move |event| { event.prevent_default(); validate(false); }>
            <EnvironmentField draft environments error=environment_error />
            <BranchField draft error=branch_error />
            <StatusNote message=note />
            <div class="step-buttons">
                <button class="button" type="submit" aria-disabled=move || pending.as_aria()>"Validate"</button>
                <button class="button is-primary" type="button" on:click=next>"Next"</button>
            </div>
        </form>
    }
}

enum Trouble {
    Branch(String),
    Environment(String),
}

async fn check(request: &ValidateBranchRequest) -> Result<protocol::api::ValidatedBranch, Trouble> {
    if !is_branch_name(&request.branch_name) {
        let words = if request.branch_name.is_empty() {
            "Choose a branch or type its name."
        } else {
            "This can't be a branch's name. Check for spaces and special characters."
        };
        return Err(Trouble::Branch(words.to_owned()));
    }
    client::validate_branch(request).await.map_err(|error| trouble(&error))
}

/// Beside the field that can mend it.
fn trouble(error: &ClientError) -> Trouble {
    if let Some(words) = error.field("branch_name") {
        return Trouble::Branch(words);
    }
    if error.is(ErrorCode::BranchNotFound) || error.is(ErrorCode::InvalidInput) {
        return Trouble::Branch(error.message());
    }
    Trouble::Environment(error.message())
}

#[component]
fn EnvironmentField(draft: Draft, environments: Vec<Environment>, error: RwSignal<Option<String>>) -> impl IntoView {
    let options: Vec<(String, String)> = environments.iter().map(|one| (one.name.clone(), described(one))).collect();
    let choose = Callback::new(move |name| {
        error.set(None);
        draft.choose_environment(name);
    });
    view! {
        <Field id="environment" label="Environment" error>
            <Select id="environment" name="environment" value=draft.environment options=Signal::stored(options)
                on_choose=choose />
        </Field>
    }
}

/// `bench-a (3 of 4 busy, 7 waiting)`: where a job would get its turn soonest.
fn described(environment: &Environment) -> String {
    let load = match (environment.busy, environment.slots, environment.waiting) {
        (Some(busy), Some(slots), Some(waiting)) => format!(" – {busy} of {slots} busy, {waiting} waiting"),
        _ => String::new(),
    };
    match environment.health {
        Health::Unreachable => format!("{} – unreachable", environment.name),
        Health::Ok | Health::Degraded | Health::Unknown => format!("{}{load}", environment.name),
    }
}

#[component]
fn BranchField(draft: Draft, error: RwSignal<Option<String>>) -> impl IntoView {
    // In the browser only: the page comes at once, the suggestions when the repository has answered.
    let branches = later(move || {
        let environment = draft.environment.get();
        Some(async move { client::list_branches(&environment).await.map(|list| list.branches).unwrap_or_default() })
    });
    let suggestions =
        move || branches.get().into_iter().map(|branch| view! { <option value=branch.name></option> }).collect_view();
    let typed = move |event| {
        error.set(None);
        draft.choose_branch(event_target_value(&event));
    };
    view! {
        <Field id="branch" label="Branch" error>
            <input id="branch" name="branch" type="text" list="branches" autocomplete="off" autocapitalize="none"
                spellcheck="false" aria-describedby="branch-note" aria-required="true"
                aria-invalid=move || error.with(Option::is_some).to_string()
                prop:value=draft.branch
                on:input=typed />
            <datalist id="branches">{suggestions}</datalist>
        </Field>
    }
}
