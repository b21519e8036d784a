//! The wizard for a new job, in three steps. Where one is in it is in the URL, so that back and forward work;
//! what is picked is kept while the wizard is open.

use super::{At, Seed};
use crate::client::{self, ClientError};
use crate::components::notice::Failure;
use crate::paths;
use crate::reload::{Reload, reload};
use leptos::html::Section;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::Environments;

mod branch_step;
mod draft;
mod review_step;
mod scenario_step;
mod steps;

use branch_step::BranchStep;
use draft::Draft;
use review_step::ReviewStep;
use scenario_step::ScenarioStep;
use steps::{Step, StepList, Steps};

pub(crate) struct NewJob(Result<Environments, ClientError>);

impl Seed for NewJob {
    fn error(&self) -> Option<&ClientError> {
        self.0.as_ref().err()
    }
}

pub(crate) async fn load(_: At) -> NewJob {
    NewJob(client::list_environments().await)
}

pub(crate) fn draw(seed: NewJob) -> AnyView {
    view! { <NewJobPage seed /> }.into_any()
}

#[component]
fn NewJobPage(seed: NewJob) -> impl IntoView {
    let Reload { value: environments, again } = reload(Memo::new(|_| ()), seed.0, |()| client::list_environments());
    let content = move || match environments.get() {
        Ok(environments) => view! { <Wizard environments /> }.into_any(),
        Err(error) => {
            view! { <Failure title="The environments can't be shown" message=error.message() retry=again /> }.into_any()
        }
    };
    view! {
        <Title text="New job" />
        <div class="page-head">
            <h1>"New job"</h1>
            <a class="button is-quiet" href=paths::HOME>"Leave"</a>
        </div>
        {content}
    }
}

#[component]
fn Wizard(environments: Environments) -> impl IntoView {
    let draft = Draft::new(&environments.environments);
    let steps = Steps::of_url(draft);
    let content = NodeRef::<Section>::new();
    // The button that led here is gone: a keyboard or a screen reader goes on at the step's beginning.
    Effect::new(move |before: Option<Step>| {
        let step = steps.current();
        if let (Some(content), true) = (content.get(), before.is_some_and(|before| before != step)) {
            let _ = content.focus();
        }
        step
    });
    view! {
        <StepList steps />
        <section class="wizard-step" tabindex="-1" node_ref=content aria-label=move || steps.title()>
            {move || match steps.current() {
                Step::Branch => view! { <BranchStep draft steps environments=environments.environments.clone() /> }.into_any(),
                Step::Scenarios => view! { <ScenarioStep draft steps /> }.into_any(),
                Step::Review => view! { <ReviewStep draft steps /> }.into_any(),
            }}
        </section>
    }
}
