//! Step 2: which of the branch's scenarios to run.

use super::draft::Draft;
use super::steps::{Step, Steps};
use crate::client;
use crate::components::notice::{Failure, Loading};
use crate::components::scenario_tree::{ScenarioTree, Shown};
use crate::pending::Pending;
use crate::words;
use leptos::prelude::*;
use protocol::api::{MAX_SCENARIOS, Scenarios};
use protocol::order;
use std::collections::BTreeSet;

#[component]
pub(super) fn ScenarioStep(draft: Draft, steps: Steps) -> impl IntoView {
    let problem = RwSignal::new(None::<String>);
    let pending = Pending::new();
    let read = move || {
        let Some(branch) = draft.validated.get_untracked() else { return };
        problem.set(None);
        leptos::task::spawn_local(draft.load_figures(branch.clone()));
        pending.run(async move {
            match client::list_scenarios(&branch.environment, &branch.branch_name).await {
                // Of a branch that was left meanwhile they are of no use.
                Ok(scenarios) if draft.validated.try_get_untracked() == Some(Some(branch)) => draft.offer(scenarios),
                Ok(_) => {}
                Err(error) => problem.set(Some(error.message())),
            }
        });
    };
    Effect::new(move |_| {
        if draft.offered.with_untracked(Option::is_none) {
            read();
        }
    });
    let retry = Callback::new(move |()| read());
    move || {
        let instead = match (problem.get(), draft.offered.get()) {
            (Some(message), _) => view! { <Failure title="The scenarios can't be read" message retry /> }.into_any(),
            (None, Some(offered)) => return view! { <Picker draft steps offered /> }.into_any(),
            (None, None) => view! { <Loading what="Reading the branch's scenarios" /> }.into_any(),
        };
        view! {
            {instead}
            <div class="step-buttons"><Back steps /></div>
        }
        .into_any()
    }
}

#[component]
fn Back(steps: Steps) -> impl IntoView {
    view! { <button class="button" type="button" on:click=move |_| steps.go(Step::Branch)>"Back"</button> }
}

#[component]
fn Picker(draft: Draft, steps: Steps, offered: Scenarios) -> impl IntoView {
    let Scenarios { mut scenarios, problems, .. } = offered;
    order::sort(&mut scenarios);
    let filter = RwSignal::new(String::new());
    let error = RwSignal::new(None::<String>);
    let total = scenarios.len();
    // Written small once, not at every key.
    let small: Vec<String> = scenarios.iter().map(|scenario| scenario.to_ascii_lowercase()).collect();
    let is_left = Memo::new(move |_| {
        let wanted = filter.get().trim().to_ascii_lowercase();
        small.iter().map(|scenario| scenario.contains(&wanted)).collect::<Vec<_>>()
    });
    let shown = Shown { all: StoredValue::new(scenarios), is_left };
    let picked = draft.picked;
    let next = move |_| match refusal(picked.with_untracked(BTreeSet::len)) {
        Some(words) => error.set(Some(words)),
        None => steps.go(Step::Review),
    };
    let count =
        move || format!("{} of {} selected", picked.with(BTreeSet::len), words::plural(total as u64, "scenario"));
    view! {
        <div class="picker-head">
            <div class="field">
                <label for="filter-scenarios">"Filter scenarios"</label>
                <input id="filter-scenarios" type="text" autocomplete="off" spellcheck="false"
                    prop:value=filter on:input=move |event| filter.set(event_target_value(&event)) />
            </div>
            <button class="button" type="button"
                on:click=move |_| picked.update(|picked| picked.extend(untrack(|| shown.names())))>"Select all"</button>
            <button class="button is-quiet" type="button" on:click=move |_| picked.update(BTreeSet::clear)>
                "Clear"
            </button>
        </div>
        <Problems problems />
        <Missing missing=draft.missing />
        <ScenarioTree shown picked figures=draft.figures />
        <p class="picker-count" role="status">{count}</p>
        <p class="field-note" role="alert">{move || error.get().filter(|_| picked.with(|picked| refusal(picked.len()).is_some()))}</p>
        <div class="step-buttons">
            <Back steps />
            <button class="button is-primary" type="button" on:click=next>"Next"</button>
        </div>
    }
}

/// Why so many can't be submitted.
fn refusal(count: usize) -> Option<String> {
    match count {
        0 => Some("Select at least one scenario.".to_owned()),
        1..=MAX_SCENARIOS => None,
        _ => Some(format!("A job can have at most {} scenarios. Select fewer.", words::count(MAX_SCENARIOS as u64))),
    }
}

/// What was picked before and can't be any more.
#[component]
fn Missing(missing: RwSignal<Vec<String>>) -> impl IntoView {
    let names = move || missing.get().into_iter().map(|name| view! { <li class="scenario">{name}</li> }).collect_view();
    view! {
        <div class="notice is-warning" role="status" hidden=move || missing.with(Vec::is_empty)>
            <p>"The branch no longer has:"</p>
            <ul aria-label="No longer in the branch">{names}</ul>
        </div>
    }
}

/// What is wrong with the branch's scenario files, for its author.
#[component]
fn Problems(problems: Vec<String>) -> impl IntoView {
    (!problems.is_empty()).then(|| {
        view! {
            <div class="notice is-warning">
                <p>"Some of the branch's scenario files can't be used:"</p>
                <ul>{problems.into_iter().map(|problem| view! { <li>{problem}</li> }).collect_view()}</ul>
            </div>
        }
    })
}
