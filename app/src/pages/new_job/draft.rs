//! What has been chosen so far for the job to be. Kept in the tab, so that a reload or a sign-in loses nothing.

use crate::components::scenario_tree::Figures;
use crate::{browser, client, json};
use leptos::html::Input;
use leptos::prelude::*;
use protocol::api::{Environment, Job, Scenarios, SubmitJobRequest, ValidatedBranch};
use protocol::order;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where it is kept.
const KEY: &str = "testarena.draft";
/// Where it is kept what was picked of a branch.
const PICKED: &str = "testarena.picked";

#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) environment: RwSignal<String>,
    pub(super) branch: RwSignal<String>,
    /// Where the branch is typed, perhaps before the page is live.
    pub(super) field: NodeRef<Input>,
    /// The branch as the environment's repository has it; none until it was validated.
    pub(super) validated: RwSignal<Option<ValidatedBranch>>,
    /// What the validated branch has to offer; none until it was read.
    pub(super) offered: RwSignal<Option<Scenarios>>,
    pub(super) picked: RwSignal<BTreeSet<String>>,
    /// What was picked and the branch does not have (any more).
    pub(super) missing: RwSignal<Vec<String>>,
    /// How the branch's scenarios went so far.
    pub(super) figures: RwSignal<Figures>,
    /// The same for each try to submit the same job; none before the first.
    pub(super) idempotency_key: StoredValue<Option<String>>,
}

/// What of it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    environment: String,
    branch: String,
    picked: Vec<String>,
}

impl Kept {
    /// Of the form of the first step; none where nothing was typed.
    pub(super) fn of_form(environment: String, branch: String) -> Option<Self> {
        (!branch.is_empty()).then_some(Self { environment, branch, picked: Vec::new() })
    }

    pub(super) fn has_picked(&self) -> bool {
        !self.picked.is_empty()
    }

    /// To edit and run again what ran before.
    pub(super) fn of_job(job: &Job) -> Self {
        let summary = &job.summary;
        Self {
            environment: summary.environment.clone(),
            branch: summary.branch_name.clone(),
            picked: job.scenarios.clone(),
        }
    }
}

impl Draft {
    /// `from`: what it begins with, in place of what was kept.
    pub(super) fn new(environments: &[Environment], from: Option<Kept>) -> Self {
        let first = environments.first().map(|environment| environment.name.clone()).unwrap_or_default();
        let is_new = from.is_none();
        let Kept { environment, branch, picked } = from.unwrap_or_default();
        let is_known = environments.iter().any(|one| one.name == environment);
        let draft = Self {
            environment: RwSignal::new(if is_known { environment } else { first }),
            branch: RwSignal::new(branch),
            field: NodeRef::new(),
            validated: RwSignal::new(None),
            offered: RwSignal::new(None),
            picked: RwSignal::new(picked.into_iter().collect()),
            missing: RwSignal::new(Vec::new()),
            figures: RwSignal::new(Figures::new()),
            idempotency_key: StoredValue::new(None),
        };
        let names: Vec<String> = environments.iter().map(|one| one.name.clone()).collect();
        draft.keep(is_new, names);
        // Another choice is another job, whatever came of the try before.
        Effect::new(move |_| {
            draft.validated.track();
            draft.picked.track();
            draft.idempotency_key.set_value(None);
        });
        draft
    }

    /// Takes over what was kept, once, unless another branch has been typed; and keeps what is chosen from then on.
    fn keep(self, takes_over: bool, environments: Vec<String>) {
        Effect::new(move |is_later: Option<()>| {
            if is_later.is_none() && takes_over {
                let kept = browser::session_item(KEY).and_then(|text| json::read::<Kept>(&text)).unwrap_or_default();
                let was_typed = self.field.get_untracked().is_some_and(|field| !field.value().is_empty());
                if environments.contains(&kept.environment) && !was_typed {
                    self.environment.set(kept.environment);
                    self.branch.set(kept.branch);
                    self.picked.set(kept.picked.into_iter().collect());
                }
            }
            let kept = Kept {
                environment: self.environment.get(),
                branch: self.branch.get(),
                picked: self.picked.get().into_iter().collect(),
            };
            browser::set_session_item(KEY, json::write(&kept).as_deref());
            if self.offered.with(Option::is_some) {
                keep_picked(&kept.environment, &kept.branch, &kept.picked);
            }
        });
    }

    /// It has become a job.
    pub(super) fn submitted(request: &SubmitJobRequest) {
        let environment = request.environment.as_deref().unwrap_or_default();
        keep_picked(environment, &request.branch_name, &request.scenarios);
        browser::set_session_item(KEY, None);
    }

    /// What was validated for another branch holds no longer.
    pub(super) fn choose_branch(self, branch: String) {
        if self.branch.with_untracked(|old| *old == branch) {
            return;
        }
        self.leave_branch();
        self.branch.set(branch);
    }

    /// The branch's name stays: the same one on another bench is the usual case.
    pub(super) fn choose_environment(self, environment: String) {
        self.leave_branch();
        self.environment.set(environment);
    }

    fn leave_branch(self) {
        self.validated.set(None);
        self.offered.set(None);
        self.picked.set(BTreeSet::new());
        self.missing.set(Vec::new());
        self.figures.set(Figures::new());
    }

    /// The branch's scenarios; of what was picked before, what they no longer have is set aside and named.
    pub(super) fn offer(self, offered: Scenarios) {
        // The wizard may have been left meanwhile.
        let Some(mut picked) = self.picked.try_get_untracked() else { return };
        if picked.is_empty() {
            picked = kept_picked(&self.environment.get_untracked(), &offered.branch_name);
            self.picked.set(picked.clone());
        }
        let (here, gone): (BTreeSet<String>, BTreeSet<String>) =
            picked.into_iter().partition(|scenario| offered.scenarios.contains(scenario));
        if !gone.is_empty() {
            self.picked.set(here);
            self.missing.set(in_order(gone));
        }
        self.offered.set(Some(offered));
    }

    /// Asked for by the way: the scenarios can be picked without.
    pub(super) async fn load_figures(self, branch: ValidatedBranch) {
        if let Ok(stats) = client::scenario_stats(&branch.environment, &branch.branch_name).await {
            let _ = self.figures.try_set(stats.stats);
        }
    }

    /// What is picked, as it is listed and will run.
    pub(super) fn chosen(self) -> Vec<String> {
        in_order(self.picked.get_untracked())
    }

    /// Ready to be sent, if all of it is there.
    pub(super) fn request(self) -> Option<SubmitJobRequest> {
        let branch = self.validated.get_untracked()?;
        let scenarios = self.chosen();
        (!scenarios.is_empty()).then_some(SubmitJobRequest {
            environment: Some(branch.environment),
            branch_name: branch.branch_name,
            scenarios,
            timeout_s: None,
        })
    }
}

fn in_order(scenarios: BTreeSet<String>) -> Vec<String> {
    let mut scenarios: Vec<String> = scenarios.into_iter().collect();
    order::sort(&mut scenarios);
    scenarios
}

/// For when the same branch is chosen again in this tab. Nothing picked is a choice as well.
fn keep_picked(environment: &str, branch: &str, picked: &[String]) {
    browser::set_session_item(&picked_of(environment, branch), Some(&picked.join("\n")));
}

fn kept_picked(environment: &str, branch: &str) -> BTreeSet<String> {
    let kept = browser::session_item(&picked_of(environment, branch)).unwrap_or_default();
    kept.lines().map(str::to_owned).collect()
}

/// Without what stands around a name by accident and in none; other white space may be part of one.
pub(super) fn trimmed(branch: &str) -> &str {
    branch.trim_matches([' ', '\t', '\r', '\n'])
}

fn picked_of(environment: &str, branch: &str) -> String {
    format!("{PICKED} {environment} {}", trimmed(branch))
}
