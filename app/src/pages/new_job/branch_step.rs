//! Step 1: where, and which branch. "Validate" asks the environment's repository over SSH whether the branch exists.

use super::draft::{self, Draft};
use super::steps::{Step, Steps};
use crate::client::{self, ClientError};
use crate::components::field::{Field, Select};
use crate::components::notice::StatusNote;
use crate::pending::Pending;
use crate::reload::later;
use crate::{browser, words};
use leptos::prelude::*;
use protocol::api::{Branches, Environment, ErrorCode, Health, ValidateBranchRequest};
use protocol::names::is_branch_name;

/// More suggestions than one would read.
const SUGGESTED: usize = 50;

#[component]
pub(super) fn BranchStep(
    draft: Draft,
    steps: Steps,
    environments: Vec<Environment>,
    /// The branch was chosen before: on to its scenarios, if it is still there.
    goes_on: bool,
) -> impl IntoView {
    let branch_error = RwSignal::new(None::<String>);
    let environment_error = RwSignal::new(None::<String>);
    let pending = Pending::new();
    // "Next" may be pressed while "Validate" is still being answered; then it is not lost.
    let then = StoredValue::new(false);
    let validate = move |then_goes_on: bool| {
        if pending.get() {
            return then.update_value(|then| *then |= then_goes_on);
        }
        then.set_value(then_goes_on);
        let request = ValidateBranchRequest {
            environment: Some(draft.environment.get_untracked()),
            branch_name: draft::trimmed(&draft.branch.get_untracked()).to_owned(),
        };
        branch_error.set(None);
        environment_error.set(None);
        draft.validated.set(None);
        pending.run(async move {
            let checked = check(&request).await;
            let is_as_asked =
                draft.branch.try_get_untracked().is_some_and(|now| draft::trimmed(&now) == request.branch_name)
                    && draft.environment.try_get_untracked() == request.environment;
            match checked {
                // Answers to what has been changed or left meanwhile are of no use.
                _ if !is_as_asked => {}
                Ok(found) => {
                    browser::remember_branch(&found.branch_name);
                    draft.validated.set(Some(found));
                    if then.get_value() {
                        steps.go(Step::Scenarios);
                    }
                }
                Err(Trouble::Branch(message)) => branch_error.set(Some(message)),
                Err(Trouble::Environment(message)) => environment_error.set(Some(message)),
            }
        });
    };
    // Also where the step asked for needs a branch that was validated before a reload.
    Effect::new(move |was: Option<()>| {
        let is_first = was.is_none() && draft.validated.with_untracked(Option::is_none);
        let is_wanted = goes_on || steps.asks_for_more();
        if is_first && is_wanted && draft.branch.with_untracked(|branch| !branch.is_empty()) {
            validate(goes_on);
        }
    });
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
                is_invalid=Signal::derive(move || error.with(Option::is_some)) on_choose=choose />
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
    let listed = later(move || {
        let environment = draft.environment.get();
        Some(async move { Some(client::list_branches(&environment).await.map(recent_first)) })
    });
    let suggestions = move || {
        let typed = draft.branch.get();
        let matching = listed.with(|listed| match listed {
            Some(Ok(branches)) => suggested(branches, &typed),
            _ => Vec::new(),
        });
        matching.into_iter().map(|name| view! { <option value=name></option> }).collect_view()
    };
    let why_none = move || {
        let why = listed.with(|listed| listed.as_ref()?.as_ref().err().map(ClientError::message))?;
        Some(format!("No branches can be suggested. {why}"))
    };
    let typed = move |event| {
        error.set(None);
        draft.choose_branch(event_target_value(&event));
    };
    let drawn = draft.branch.get_untracked();
    Effect::new(move |was: Option<()>| {
        let (Some(input), branch) = (draft.field.get(), draft.branch.get()) else { return };
        if was.is_none() && input.value() != drawn {
            // Typed before the page was live.
            draft.choose_branch(input.value());
        } else if input.value() != branch {
            input.set_value(&branch);
        }
    });
    view! {
        <Field id="branch" label="Branch" error>
            <input id="branch" name="branch" type="text" list="branches" autocomplete="off" autocapitalize="none"
                spellcheck="false" aria-describedby="branch-note branch-hint" aria-required="true" node_ref=draft.field
                aria-invalid=move || error.with(Option::is_some).to_string()
                value=draft.branch.get_untracked()
                on:input=typed />
            <datalist id="branches">{suggestions}</datalist>
            <p class="field-note is-hint" id="branch-hint" role="status">{why_none}</p>
        </Field>
    }
}

/// Those that this reader validated before come first.
fn recent_first(listed: Branches) -> Vec<String> {
    let names: Vec<String> = listed.branches.into_iter().map(|branch| branch.name).collect();
    let recent: Vec<String> = browser::recent_branches().into_iter().filter(|name| names.contains(name)).collect();
    let others = names.into_iter().filter(|name| !recent.contains(name));
    recent.iter().cloned().chain(others).collect()
}

/// Those that begin so first, then those that have it anywhere.
fn suggested(branches: &[String], typed: &str) -> Vec<String> {
    let typed = typed.trim().to_ascii_lowercase();
    let place = |name: &String| name.to_ascii_lowercase().find(&typed);
    let begins = branches.iter().filter(|name| place(name) == Some(0));
    let has = branches.iter().filter(|name| place(name).is_some_and(|at| at > 0));
    begins.chain(has).take(SUGGESTED).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_thirty_thousand_branches_the_nearest_fifty_are_suggested() {
        let mut branches: Vec<String> = (0..30_000).map(|number| format!("release/{number}")).collect();
        branches.push("main".to_owned());
        assert_eq!(suggested(&branches, "").len(), SUGGESTED);
        assert_eq!(suggested(&branches, " Mai"), ["main"]);
        assert_eq!(suggested(&branches, "2999")[0], "release/2999");
        branches.insert(0, "old-main".to_owned());
        assert_eq!(suggested(&branches, "main"), ["main", "old-main"]);
    }
}
