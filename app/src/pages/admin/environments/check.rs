//! Tries an environment now, part by part, as `testarena check` does, and says how to mend what fails.

use crate::client;
use crate::components::icon::Icon;
use crate::components::notice::{Alert, Loading};
use crate::components::status_badge::Badge;
use crate::pending::Pending;
use leptos::prelude::*;
use protocol::api::{Check, CheckedPart};

#[component]
pub(super) fn CheckNow(name: String) -> impl IntoView {
    let checks = RwSignal::new(None::<Vec<Check>>);
    let problem = RwSignal::new(None::<String>);
    let pending = Pending::new();
    let label = format!("Check {name} now");
    let press = move |_| {
        let name = name.clone();
        problem.set(None);
        pending.run(async move {
            match client::check_environment(&name).await {
                Ok(found) => checks.set(Some(found.checks)),
                Err(error) => problem.set(Some(error.message())),
            }
        });
    };
    let outcome = move || {
        if pending.get() {
            return Some(view! { <Loading what="Trying it…" /> }.into_any());
        }
        let rows = checks.get()?.into_iter().map(|check| view! { <CheckRow check /> }).collect_view();
        Some(view! { <ul class="checks">{rows}</ul> }.into_any())
    };
    view! {
        <button class="button is-small" type="button" aria-label=label aria-disabled=move || pending.as_aria() on:click=press>
            <Icon name="rerun" />
            "Check now"
        </button>
        <div class="check-outcome" role="status">{outcome}</div>
        <Alert message=problem />
    }
}

#[component]
fn CheckRow(check: Check) -> impl IntoView {
    let Check { what, ok, detail } = check;
    let status = if ok { "ok" } else { "failed" };
    let told = if ok { "works: " } else { "fails: " };
    view! {
        <li>
            <Badge status word=part(what) />
            <span><span class="visually-hidden">{told}</span>{detail}</span>
        </li>
    }
}

const fn part(what: CheckedPart) -> &'static str {
    match what {
        CheckedPart::Http => "HTTP",
        CheckedPart::Ssh => "SSH",
        CheckedPart::Repository => "Repository",
        CheckedPart::Scenarios => "Scenarios",
        CheckedPart::Workspace => "Workspace",
        CheckedPart::Clock => "Clock",
    }
}
