//! The three steps and the way between them. Nobody gets to a step before those that it needs are done.

use super::draft::Draft;
use crate::boxed::memo;
use crate::html::{Html, el, live};
use crate::navigation::Navigation;
use crate::paths;
use leptos::prelude::*;
use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Branch,
    Scenarios,
    Review,
}

impl Step {
    const ALL: [Self; 3] = [Self::Branch, Self::Scenarios, Self::Review];

    const fn key(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Scenarios => "scenarios",
            Self::Review => "review",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Branch => "Branch",
            Self::Scenarios => "Scenarios",
            Self::Review => "Review",
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Steps {
    current: Memo<Step>,
    navigation: Navigation,
}

impl Steps {
    pub(super) fn of_url(draft: Draft) -> Self {
        let navigation = Navigation::of_context();
        let current = memo(move || {
            let asked = navigation.url.with(|url| {
                let name = url.get("step");
                Step::ALL.into_iter().find(|step| step.key() == name).unwrap_or(Step::Branch)
            });
            asked.min(furthest(draft.validated.with(Option::is_some), draft.picked.with(|picked| !picked.is_empty())))
        });
        Self { current, navigation }
    }

    pub(super) fn current(self) -> Step {
        self.current.get()
    }

    /// `Step 2 of 3: Scenarios`.
    pub(super) fn title(self) -> String {
        let step = self.current.get();
        let number = Step::ALL.iter().position(|other| *other == step).map_or(0, |at| at + 1);
        format!("Step {number} of {}: {}", Step::ALL.len(), step.label())
    }

    pub(super) fn go(self, step: Step) {
        self.navigation.go(&paths::with_query(paths::NEW_JOB, &[("step", step.key())]));
    }
}

const fn furthest(branch_is_validated: bool, something_is_picked: bool) -> Step {
    match (branch_is_validated, something_is_picked) {
        (false, _) => Step::Branch,
        (true, false) => Step::Scenarios,
        (true, true) => Step::Review,
    }
}

pub(super) fn step_list(steps: Steps) -> Html {
    let items = live(move || {
        let current = steps.current();
        let item = |(at, step): (usize, Step)| {
            let state = match step.cmp(&current) {
                Ordering::Less => "done",
                Ordering::Equal => "current",
                Ordering::Greater => "ahead",
            };
            let number = el("span").class("step-number").attr("aria-hidden", "true").child((at + 1).to_string());
            el("li")
                .class("step")
                .attr("data-state", state)
                .attr_if("aria-current", (step == current).then_some("step"))
                .child(number)
                .child(step.label())
        };
        Step::ALL.into_iter().enumerate().map(item).collect::<Vec<_>>()
    });
    el("ol").class("steps").attr("aria-label", "Steps").child(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_is_reached_before_those_it_needs() {
        let reached = [(false, false), (false, true), (true, false), (true, true)]
            .map(|(validated, picked)| furthest(validated, picked));
        assert_eq!(reached, [Step::Branch, Step::Branch, Step::Scenarios, Step::Review]);
    }
}
