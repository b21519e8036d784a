//! Two jobs side by side: what fails now and did not before, what is mended, what still fails, what only one has.

use super::{At, Seed};
use crate::client::{self, ClientError};
use crate::components::icon::Icon;
use crate::components::notice::{Alert, Failure};
use crate::components::status_badge::JobStatusBadge;
use crate::components::time_stamp::TimeStamp;
use crate::paths::{self, Query};
use crate::reload::{Reload, reload};
use crate::words;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::JobId;
use protocol::api::{Comparison, ErrorCode, JobSummary};

mod changes;

use changes::Changes;

pub(crate) struct Compare {
    found: Found,
}

/// What came of asking; `Unasked` while it is not said which two.
#[derive(Clone)]
enum Found {
    Unasked,
    /// One of them is no job, or not any more.
    NoSuchJob(ClientError),
    Both(Box<Comparison>),
    Failed(ClientError),
}

/// As they stand in the address, whatever that is.
#[derive(Clone, PartialEq, Eq)]
struct Asked {
    a: String,
    b: String,
}

impl Asked {
    fn of(query: &Query) -> Self {
        let text = |name| query.text(name).trim().trim_start_matches('#').to_owned();
        Self { a: text("a"), b: text("b") }
    }
}

impl Seed for Compare {
    fn error(&self) -> Option<&ClientError> {
        match &self.found {
            Found::NoSuchJob(error) | Found::Failed(error) => Some(error),
            Found::Unasked | Found::Both(_) => None,
        }
    }
}

pub(crate) async fn load(at: At) -> Compare {
    Compare { found: find(Asked::of(&at.query)).await }
}

async fn find(Asked { a, b }: Asked) -> Found {
    let id = |text: &str| text.parse::<JobId>().ok();
    let (Some(a), Some(b)) = (id(&a), id(&b)) else { return Found::Unasked };
    match client::compare_jobs(a, b).await {
        Ok(comparison) => Found::Both(Box::new(comparison)),
        Err(error) if error.is(ErrorCode::NotFound) => Found::NoSuchJob(error),
        Err(error) => Found::Failed(error),
    }
}

pub(crate) fn draw(seed: Compare) -> AnyView {
    view! { <ComparePage seed /> }.into_any()
}

#[component]
fn ComparePage(seed: Compare) -> impl IntoView {
    let query = Query::here();
    let asked = Memo::new(move |_| query.with(Asked::of));
    let Reload { value: found, again } = reload(asked, seed.found, find);
    let view = move || {
        match found.get() {
        Found::Both(comparison) => view! { <Present comparison=*comparison /> }.into_any(),
        Found::Unasked => view! { <Choose asked=asked.get_untracked() why=None /> }.into_any(),
        Found::NoSuchJob(error) => {
            view! { <Choose asked=asked.get_untracked() why=Some(error.message()) /> }.into_any()
        }
        Found::Failed(error) => {
            view! { <Title text="The jobs can't be compared" /><Failure title="The jobs can't be compared" message=error.message() retry=again /> }.into_any()
        }
    }
    };
    view! { {view} }
}

/// A plain form, so that it works before the page is live.
#[component]
fn Choose(asked: Asked, why: Option<String>) -> impl IntoView {
    let field = |id: &'static str, label: &'static str, value: String| {
        view! {
            <div class="field">
                <label for=format!("compare-{id}")>{label}</label>
                <input id=format!("compare-{id}") name=id type="text" inputmode="numeric" pattern="#?[0-9]+" required
                    title="The number of a job" autocomplete="off" value=value />
            </div>
        }
    };
    view! {
        <Title text="Compare jobs" />
        <div class="page-head">
            <h1>"Compare jobs"</h1>
        </div>
        <Alert message=Signal::stored(why) />
        <form class="form-row" method="get" action=paths::COMPARE>
            {field("a", "Job before", asked.a)}
            {field("b", "Job after", asked.b)}
            <button class="button is-primary" type="submit">"Compare"</button>
        </form>
    }
}

#[component]
fn Present(comparison: Comparison) -> impl IntoView {
    let Comparison { a, b, scenarios } = comparison;
    let title = format!("Job #{} and job #{}", a.id, b.id);
    let swapped = paths::compare(b.id, a.id);
    let hint = hint(&a, &b).map(|hint| view! { <p class="notice is-status">{hint}</p> });
    let (ids, place) = ((a.id, b.id), (b.environment.clone(), b.branch_name.clone()));
    view! {
        <Title text=title />
        <div class="page-head">
            <h1>{format!("Job #{} and job #{}", a.id, b.id)}</h1>
        </div>
        <div class="sides">
            <Side job=a />
            <a class="button is-quiet is-small" href=swapped data-noscroll=""><Icon name="compare" />"Swap"</a>
            <Side job=b />
        </div>
        {hint}
        <Changes ids place scenarios />
    }
}

/// What has to be known to read the differences rightly.
fn hint(a: &JobSummary, b: &JobSummary) -> Option<&'static str> {
    if !a.status.is_terminal() || !b.status.is_terminal() {
        return Some("Not both have ended: what has not run yet counts as not failing.");
    }
    if a.environment != b.environment {
        return Some("They ran on different environments.");
    }
    (a.commit == b.commit).then_some("Both ran the same commit: what differs between them is not in the branch.")
}

#[component]
fn Side(job: JobSummary) -> impl IntoView {
    let short = words::short_commit(&job.commit).to_owned();
    view! {
        <section class="side">
            <h2>
                <a href=paths::job(job.id)>{format!("Job #{}", job.id)}</a>
                <JobStatusBadge status=job.status />
            </h2>
            <ul class="facts-line">
                <li><Icon name="branch" /><span class="branch">{job.branch_name}</span></li>
                <li><Icon name="commit" /><code title=job.commit>{short}</code></li>
                <li><Icon name="server" />{job.environment}</li>
                <li><Icon name="user" />{job.user.username}</li>
                <li><Icon name="clock" /><TimeStamp at=job.created_at /></li>
            </ul>
        </section>
    }
}
