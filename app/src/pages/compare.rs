//! Two jobs side by side: what fails now and did not before, what is mended, what still fails, what only one has. Kept
//! up to date until both have ended.

use super::dashboard::Freshness;
use super::{At, Seed};
use crate::client::{self, ClientError, Fetched, Loaded};
use crate::components::icon::Icon;
use crate::components::notice::Failure;
use crate::components::status_badge::JobStatusBadge;
use crate::components::time_stamp::TimeStamp;
use crate::paths::{self, Query};
use crate::poll;
use crate::reload::{Reload, reload};
use crate::session::Session;
use crate::words;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::JobId;
use protocol::api::{Comparison, ErrorCode, JobSummary};

mod changes;
mod choice;

use changes::Changes;
use choice::{Choice, Choose};

pub(crate) struct Compare {
    found: Found,
}

/// What came of asking.
#[derive(Clone)]
enum Found {
    /// It is not said which two, or one of them is no job, or not any more.
    Choice(Box<Choice>),
    Both(Box<Loaded<Comparison>>),
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
            Found::Choice(choice) => choice.why.as_ref(),
            Found::Failed(error) => Some(error),
            Found::Both(_) => None,
        }
    }
}

pub(crate) async fn load(at: At) -> Compare {
    Compare { found: find(Asked::of(&at.query)).await }
}

async fn find(Asked { a, b }: Asked) -> Found {
    let id = |text: &str| text.parse::<JobId>().ok();
    let (a, b) = (id(&a), id(&b));
    let user = expect_context::<Session>().user;
    let mut why = None;
    if let (Some(a), Some(b)) = (a, b) {
        match client::compare_jobs(a, b, None).await.and_then(Fetched::loaded) {
            Ok(comparison) => return Found::Both(Box::new(comparison)),
            Err(error) if error.is(ErrorCode::NotFound) => why = Some(error),
            Err(error) => return Found::Failed(error),
        }
    }
    Found::Choice(Box::new(Choice::find(b, why, user).await))
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
        Found::Both(seed) => view! { <Present seed=*seed /> }.into_any(),
        Found::Choice(choice) => {
            let Asked { a, b } = asked.get_untracked();
            view! { <Choose a b choice=*choice /> }.into_any()
        }
        Found::Failed(error) => {
            view! { <Title text="The jobs can't be compared" /><Failure title="The jobs can't be compared" message=error.message() retry=again /> }.into_any()
        }
    }
    };
    view! { {view} }
}

#[component]
fn Present(seed: Loaded<Comparison>) -> impl IntoView {
    let ids = (seed.body.a.id, seed.body.b.id);
    let ask = move |_: &Comparison, etag| client::compare_jobs(ids.0, ids.1, etag);
    let live = poll::live(seed, ask, |shown: &mut Comparison, fresh| *shown = fresh, is_over);
    let (title, swapped) = (format!("Job #{} and job #{}", ids.0, ids.1), paths::compare(ids.1, ids.0));
    let opened = StoredValue::new(None::<bool>);
    // Drawn anew in place: a row stays in the document, with what it has of focus and selection.
    let content = move || {
        let both = live.value.get();
        let hint = hint(&both).map(|hint| view! { <p class="notice is-status">{hint}</p> });
        let Comparison { a, b, scenarios } = both;
        let place = (b.environment.clone(), b.branch_name.clone());
        view! {
            <div class="sides">
                <Side job=a />
                <a class="button is-quiet is-small" href=swapped.clone() data-noscroll=""><Icon name="compare" />"Swap"</a>
                <Side job=b />
            </div>
            {hint}
            <Changes ids place scenarios opened />
        }
        .into_any()
    };
    view! {
        <Title text=title.clone() />
        <div class="page-head">
            <h1>{title}</h1>
            <a class="button is-quiet" href=paths::compare_with(ids.1)>"Compare with another…"</a>
        </div>
        <Freshness synced_at=live.synced_at trouble=live.trouble answered_at=live.answered_at />
        {content}
    }
}

/// Nothing of it will change any more.
fn is_over(both: &Comparison) -> bool {
    both.a.status.is_terminal() && both.b.status.is_terminal()
}

/// What has to be known to read the differences rightly.
fn hint(both: &Comparison) -> Option<&'static str> {
    let Comparison { a, b, .. } = both;
    if a.id == b.id {
        return Some("Both ran the same commit: they are one and the same job.");
    }
    if !is_over(both) {
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
