//! The three steps and the way between them. Nobody gets to a step before those that it needs are done.

use super::draft::Draft;
use crate::paths::{self, Query};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
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
    asked: Memo<Step>,
    current: Memo<Step>,
    go: Callback<Step>,
}

impl Steps {
    pub(super) fn of_url(draft: Draft) -> Self {
        let query = Query::here();
        let asked = Memo::new(move |_| {
            query.with(|query| {
                let name = query.get_str("step").unwrap_or_default();
                Step::ALL.into_iter().find(|step| step.key() == name).unwrap_or(Step::Branch)
            })
        });
        let current = Memo::new(move |_| {
            let reached =
                furthest(draft.validated.with(Option::is_some), draft.picked.with(|picked| !picked.is_empty()));
            asked.get().min(reached)
        });
        let navigate = use_navigate();
        let go = Callback::new(move |step: Step| {
            navigate(&paths::with_query(paths::NEW_JOB, &[("step", step.key())]), NavigateOptions::default());
        });
        Self { asked, current, go }
    }

    /// Whether the address asks for a later step than one may be at.
    pub(super) fn asks_for_more(self) -> bool {
        self.asked.get_untracked() > self.current.get_untracked()
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
        self.go.run(step);
    }
}

const fn furthest(branch_is_validated: bool, something_is_picked: bool) -> Step {
    match (branch_is_validated, something_is_picked) {
        (false, _) => Step::Branch,
        (true, false) => Step::Scenarios,
        (true, true) => Step::Review,
    }
}

#[component]
pub(super) fn StepList(steps: Steps) -> impl IntoView {
    let items = move || {
        let current = steps.current();
        let item = |(at, step): (usize, Step)| {
            let state = match step.cmp(&current) {
                Ordering::Less => "done",
                Ordering::Equal => "current",
                Ordering::Greater => "ahead",
            };
            view! {
                <li class="step" data-state=state aria-current=(step == current).then_some("step")>
                    <span class="step-number" aria-hidden="true">{(at + 1).to_string()}</span>
                    {step.label()}
                </li>
            }
        };
        Step::ALL.into_iter().enumerate().map(item).collect_view()
    };
    view! {
        <ol class="steps" aria-label="Steps">
            {items}
        </ol>
    }
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
