//! The wizard for a new job, in three steps. Where one is in it is in the URL, so that back and forward work;
//! what is picked is kept while the wizard is open.

use crate::boxed::{effect, memo};
use crate::client::{self, ClientError};
use crate::components::notice::failure;
use crate::html::{Child, ElementRef, el, view_of};
use crate::paths;
use crate::reload::{Reload, reload};
use leptos::prelude::*;
use protocol::api::Environments;

mod branch_step;
mod draft;
mod review_step;
mod scenario_step;
mod steps;

use branch_step::branch_step;
use draft::Draft;
use review_step::review_step;
use scenario_step::scenario_step;
use steps::{Step, Steps, step_list};

pub(crate) type Seed = Result<Environments, ClientError>;

pub(super) async fn load() -> Seed {
    client::list_environments().await
}

pub(super) fn new_job_page(seed: Seed) -> AnyView {
    let Reload { value: environments, again } = reload(memo(|| ()), seed, |()| load());
    let head = el("div")
        .class("page-head")
        .child(el("h1").child("New job"))
        .child(el("a").class("button is-quiet").attr("href", paths::HOME).child("Leave"));
    let content = view_of(
        move || environments.get(),
        move |environments| match environments {
            Ok(environments) => wizard(environments),
            Err(error) => failure("The environments can't be shown", error.message(), again).drawn(),
        },
    );
    vec![head.drawn(), content].drawn()
}

fn wizard(environments: Environments) -> AnyView {
    let draft = Draft::new(&environments.environments);
    let steps = Steps::of_url(draft);
    let content = ElementRef::new();
    // The button that led here is gone: a keyboard or a screen reader goes on at the step's beginning.
    let mut before = None;
    effect(move || {
        let step = steps.current();
        if let (Some(content), true) = (content.get(), before.replace(step).is_some_and(|before| before != step)) {
            let _ = content.focus();
        }
    });
    let step = view_of(
        move || steps.current(),
        move |step| match step {
            Step::Branch => branch_step(draft, steps, &environments.environments).drawn(),
            Step::Scenarios => scenario_step(draft, steps),
            Step::Review => review_step(draft, steps),
        },
    );
    let section = el("section")
        .class("wizard-step")
        .attr("tabindex", "-1")
        .element_ref(content)
        .attr_of("aria-label", move || Some(steps.title()))
        .child(step);
    vec![step_list(steps), section].drawn()
}
