//! Step 1: where, and which branch. "Validate" asks the environment's repository over SSH whether the branch exists.

use super::draft::Draft;
use super::steps::{Step, Steps};
use crate::client::{self, ClientError};
use crate::components::field::{field, select};
use crate::components::notice::status_note;
use crate::html::{Html, el, live};
use crate::pending::Pending;
use crate::reload::later;
use crate::{browser, words};
use leptos::prelude::*;
use protocol::api::{Branch, Environment, ErrorCode, Health, ValidateBranchRequest};
use protocol::names::is_branch_name;

pub(super) fn branch_step(draft: Draft, steps: Steps, environments: &[Environment]) -> Html {
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
                Err(Trouble::SignedOut) => browser::leave_for_login(),
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
    let buttons = el("div")
        .class("step-buttons")
        .child(
            el("button")
                .class("button")
                .attr("type", "submit")
                .attr_of("aria-disabled", move || Some(pending.as_aria().to_owned()))
                .child("Validate"),
        )
        .child(el("button").class("button is-primary").attr("type", "button").on("click", next).child("Next"));
    el("form")
        .class("form")
        .on("submit", move |event| {
            event.prevent_default();
            validate(false);
        })
        .child(environment_field(draft, environments, environment_error))
        .child(branch_field(draft, branch_error))
        .child(status_note(note))
        .child(buttons)
}

enum Trouble {
    Branch(String),
    Environment(String),
    SignedOut,
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
    if error.is(ErrorCode::Unauthenticated) {
        return Trouble::SignedOut;
    }
    if let Some(words) = error.field("branch_name") {
        return Trouble::Branch(words);
    }
    if error.is(ErrorCode::BranchNotFound) || error.is(ErrorCode::InvalidInput) {
        return Trouble::Branch(error.message());
    }
    Trouble::Environment(error.message())
}

fn environment_field(draft: Draft, environments: &[Environment], error: RwSignal<Option<String>>) -> Html {
    let options: Vec<(String, String)> = environments.iter().map(|one| (one.name.clone(), described(one))).collect();
    let choose = Callback::new(move |name| {
        error.set(None);
        draft.choose_environment(name);
    });
    let choice = select("environment", "environment", draft.environment.into(), Signal::stored(options), choose);
    field("environment", "Environment", error, choice)
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

fn branch_field(draft: Draft, error: RwSignal<Option<String>>) -> Html {
    // In the browser only: the page comes at once, the suggestions when the repository has answered.
    let branches = later(move || {
        let environment = draft.environment.get();
        Some(async move { client::list_branches(&environment).await.map(|list| list.branches).unwrap_or_default() })
    });
    let suggestions = live(move || {
        let option = |branch: Branch| el("option").attr("value", branch.name);
        branches.get().into_iter().map(option).collect::<Vec<_>>()
    });
    let input = el("input")
        .attr("id", "branch")
        .attr("name", "branch")
        .attr("type", "text")
        .attr("list", "branches")
        .attr("autocomplete", "off")
        .attr("autocapitalize", "none")
        .attr("spellcheck", "false")
        .attr("aria-describedby", "branch-note")
        .attr("aria-required", "true")
        .attr_of("aria-invalid", move || Some(error.with(Option::is_some).to_string()))
        .value_of(move || draft.branch.get())
        .on("input", move |event| {
            error.set(None);
            draft.choose_branch(event_target_value(&event));
        });
    let list = el("datalist").attr("id", "branches").child(suggestions);
    field("branch", "Branch", error, vec![input, list])
}
