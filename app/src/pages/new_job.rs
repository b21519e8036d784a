//! The wizard for a new job, in three steps. Where one is in it is in the URL, so that back and forward work;
//! what is picked is kept while the wizard is open.

use super::{At, Seed};
use crate::client::{self, ClientError, Fetched};
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
use draft::{Draft, Kept};
use review_step::ReviewStep;
use scenario_step::ScenarioStep;
use steps::{Step, StepList, Steps};

pub(crate) struct NewJob {
    environments: Result<Environments, ClientError>,
    /// What it begins with: that of an earlier job, or what was typed before the page was live.
    from: Option<Kept>,
}

impl Seed for NewJob {
    fn error(&self) -> Option<&ClientError> {
        self.environments.as_ref().err()
    }
}

pub(crate) async fn load(at: At) -> NewJob {
    let from = at.query.get_str("from").and_then(|id| id.parse().ok());
    let earlier = match from {
        // Of a job that is gone nothing can be taken over; the wizard works all the same.
        Some(id) => client::find_job(id, None).await.and_then(Fetched::loaded).ok(),
        None => None,
    };
    let given = |name| at.query.text(name);
    let typed = || Kept::of_form(given("environment"), given("branch"));
    let from = earlier.map(|job| Kept::of_job(&job.body)).or_else(typed);
    NewJob { environments: client::list_environments().await, from }
}

pub(crate) fn draw(seed: NewJob) -> AnyView {
    view! { <NewJobPage seed /> }.into_any()
}

#[component]
fn NewJobPage(seed: NewJob) -> impl IntoView {
    let Reload { value: environments, again } =
        reload(Memo::new(|_| ()), seed.environments, |()| client::list_environments());
    let from = StoredValue::new(seed.from);
    let content = move || match environments.get() {
        Ok(Environments { environments }) if environments.is_empty() => view! {
            <div class="empty">
                <h2>"Nowhere to run a job"</h2>
                <p>"No environment is set up yet. An administrator adds one to the server's configuration."</p>
            </div>
        }
        .into_any(),
        Ok(environments) => view! { <Wizard environments from=from.get_value() /> }.into_any(),
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
fn Wizard(environments: Environments, from: Option<Kept>) -> impl IntoView {
    let goes_on = from.as_ref().is_some_and(Kept::has_picked);
    let draft = Draft::new(&environments.environments, from);
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
                Step::Branch => {
                    view! { <BranchStep draft steps goes_on environments=environments.environments.clone() /> }.into_any()
                }
                Step::Scenarios => view! { <ScenarioStep draft steps /> }.into_any(),
                Step::Review => {
                    view! { <ReviewStep draft steps environments=environments.environments.clone() /> }.into_any()
                }
            }}
        </section>
    }
}
