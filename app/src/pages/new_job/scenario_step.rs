//! Step 2: which of the branch's scenarios to run.

use super::draft::Draft;
use super::steps::{Step, Steps};
use crate::boxed::{effect, memo};
use crate::client;
use crate::components::notice::{failure, loading};
use crate::components::scenario_tree::scenario_tree;
use crate::html::{Child, Html, el, live, view_of};
use crate::pending::Pending;
use crate::words;
use leptos::prelude::*;
use protocol::api::{MAX_SCENARIOS, Scenarios};
use std::collections::BTreeSet;

pub(super) fn scenario_step(draft: Draft, steps: Steps) -> AnyView {
    let problem = RwSignal::new(None::<String>);
    let pending = Pending::new();
    let read = move || {
        let Some(branch) = draft.validated.get_untracked() else { return };
        problem.set(None);
        pending.run(async move {
            match client::list_scenarios(&branch.environment, &branch.branch_name).await {
                Ok(scenarios) => draft.offered.set(Some(scenarios)),
                Err(error) => problem.set(Some(error.message())),
            }
        });
    };
    effect(move || {
        if draft.offered.with_untracked(Option::is_none) {
            read();
        }
    });
    let retry = Callback::new(move |()| read());
    view_of(
        move || (problem.get(), draft.offered.get()),
        move |shown| match shown {
            (Some(message), _) => failure("The scenarios can't be read", message, retry).drawn(),
            (None, Some(offered)) => picker(draft, steps, offered),
            (None, None) => loading("Reading the branch's scenarios").drawn(),
        },
    )
}

fn picker(draft: Draft, steps: Steps, offered: Scenarios) -> AnyView {
    let Scenarios { scenarios, problems, .. } = offered;
    let filter = RwSignal::new(String::new());
    let error = RwSignal::new(None::<String>);
    let total = scenarios.len();
    let shown = memo(move || {
        let wanted = filter.get().trim().to_ascii_lowercase();
        let mut shown: Vec<String> =
            scenarios.iter().filter(|scenario| scenario.to_ascii_lowercase().contains(&wanted)).cloned().collect();
        shown.sort_unstable();
        shown
    });
    let picked = draft.picked;
    let next = move |_| match refusal(picked.with_untracked(BTreeSet::len)) {
        Some(words) => error.set(Some(words)),
        None => steps.go(Step::Review),
    };
    let count =
        move || format!("{} of {} selected", picked.with(BTreeSet::len), words::plural(total as u64, "scenario"));
    let filter_field =
        el("div").class("field").child(el("label").attr("for", "filter-scenarios").child("Filter scenarios")).child(
            el("input")
                .attr("id", "filter-scenarios")
                .attr("type", "text")
                .attr("autocomplete", "off")
                .attr("spellcheck", "false")
                .value_of(move || filter.get())
                .on("input", move |event| filter.set(event_target_value(&event))),
        );
    let select_all = move |_| picked.update(|picked| picked.extend(shown.get_untracked()));
    let clear = move |_| picked.update(BTreeSet::clear);
    let head = el("div")
        .class("picker-head")
        .child(filter_field)
        .child(el("button").class("button").attr("type", "button").on("click", select_all).child("Select all"))
        .child(el("button").class("button is-quiet").attr("type", "button").on("click", clear).child("Clear"));
    let still_wrong = move || error.get().filter(|_| picked.with(|picked| refusal(picked.len()).is_some()));
    let back = move |_| steps.go(Step::Branch);
    let buttons = el("div")
        .class("step-buttons")
        .child(el("button").class("button").attr("type", "button").on("click", back).child("Back"))
        .child(el("button").class("button is-primary").attr("type", "button").on("click", next).child("Next"));
    vec![
        head.drawn(),
        problems_notice(problems).drawn(),
        scenario_tree(shown.into(), picked).drawn(),
        el("p").class("picker-count").attr("role", "status").child(live(count)).drawn(),
        el("p").class("field-note").attr("role", "alert").child(live(still_wrong)).drawn(),
        buttons.drawn(),
    ]
    .drawn()
}

/// Why so many can't be submitted.
fn refusal(count: usize) -> Option<String> {
    match count {
        0 => Some("Select at least one scenario.".to_owned()),
        1..=MAX_SCENARIOS => None,
        _ => Some(format!("A job can have at most {} scenarios. Select fewer.", words::count(MAX_SCENARIOS as u64))),
    }
}

/// What is wrong with the branch's scenario files, for its author.
fn problems_notice(problems: Vec<String>) -> Option<Html> {
    let problem = |problem: String| el("li").child(problem);
    (!problems.is_empty()).then(|| {
        el("div")
            .class("notice is-warning")
            .child(el("p").child("Some of the branch's scenario files can't be used:"))
            .child(el("ul").child(problems.into_iter().map(problem).collect::<Vec<_>>()))
    })
}
