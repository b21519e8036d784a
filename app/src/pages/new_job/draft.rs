//! What has been chosen so far for the job to be.

use leptos::prelude::*;
use protocol::api::{Environment, Scenarios, SubmitJobRequest, ValidatedBranch};
use std::collections::BTreeSet;

#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) environment: RwSignal<String>,
    pub(super) branch: RwSignal<String>,
    /// The branch as the environment's repository has it; none until it was validated.
    pub(super) validated: RwSignal<Option<ValidatedBranch>>,
    /// What the validated branch has to offer; none until it was read.
    pub(super) offered: RwSignal<Option<Scenarios>>,
    pub(super) picked: RwSignal<BTreeSet<String>>,
    /// The same for each try to submit the same job; none before the first.
    pub(super) idempotency_key: StoredValue<Option<String>>,
}

impl Draft {
    pub(super) fn new(environments: &[Environment]) -> Self {
        let first = environments.first().map(|environment| environment.name.clone()).unwrap_or_default();
        let draft = Self {
            environment: RwSignal::new(first),
            branch: RwSignal::new(String::new()),
            validated: RwSignal::new(None),
            offered: RwSignal::new(None),
            picked: RwSignal::new(BTreeSet::new()),
            idempotency_key: StoredValue::new(None),
        };
        // Another choice is another job, whatever came of the try before.
        Effect::new(move |_| {
            draft.validated.track();
            draft.picked.track();
            draft.idempotency_key.set_value(None);
        });
        draft
    }

    /// What was validated for another branch holds no longer.
    pub(super) fn choose_branch(self, branch: String) {
        if self.branch.with_untracked(|old| *old == branch) {
            return;
        }
        self.branch.set(branch);
        self.forget();
    }

    pub(super) fn choose_environment(self, environment: String) {
        self.environment.set(environment);
        self.branch.set(String::new());
        self.forget();
    }

    fn forget(self) {
        self.validated.set(None);
        self.offered.set(None);
        self.picked.set(BTreeSet::new());
    }

    /// Ready to be sent, if all of it is there.
    pub(super) fn request(self) -> Option<SubmitJobRequest> {
        let branch = self.validated.get_untracked()?;
        let scenarios: Vec<String> = self.picked.get_untracked().into_iter().collect();
        (!scenarios.is_empty()).then_some(SubmitJobRequest {
            environment: Some(branch.environment),
            branch_name: branch.branch_name,
            scenarios,
            timeout_s: None,
        })
    }
}
