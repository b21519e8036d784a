//! Which two jobs to compare: any by their numbers, or with one of the last of the same branch and environment. A plain
//! form and plain links, so that it works before the page is live.

use crate::client::{self, ClientError, Fetched, JobQuery};
use crate::components::job_table::JobTable;
use crate::components::notice::Alert;
use crate::paths;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::JobId;
use protocol::api::{DEFAULT_PAGE, JobSummary, User};

/// As many as one looks through.
const OFFERED: usize = 10;

#[derive(Clone)]
pub(super) struct Choice {
    /// Why what was asked for can't be compared.
    pub(super) why: Option<ClientError>,
    /// The later job, and the others of its branch and environment, the newest first.
    offered: Option<(JobSummary, Vec<JobSummary>)>,
}

impl Choice {
    pub(super) async fn find(later: Option<JobId>, why: Option<ClientError>, user: Option<User>) -> Self {
        let Some(later) = later else { return Self { why, offered: None } };
        // Its summary, by a question that this view puts anyway.
        match client::compare_jobs(later, later, None).await.and_then(Fetched::loaded) {
            Err(error) => Self { why: why.or(Some(error)), offered: None },
            Ok(job) => {
                let job = job.body.b;
                // Without a search a plain user is told of their own jobs alone: of another's, the owner is searched for.
                let is_told = user.is_some_and(|user| user.is_admin || user.id == job.user.id);
                let search = if is_told { String::new() } else { job.user.username.clone() };
                let (environment, branch) = (job.environment.clone(), job.branch_name.clone());
                let query = JobQuery { search, environment, branch, ..JobQuery::default() };
                let listed = client::list_jobs(&query, DEFAULT_PAGE as usize, None).await.and_then(Fetched::loaded);
                let mut others = listed.map(|listed| listed.body.jobs).unwrap_or_default();
                others.retain(|other| other.id != job.id);
                others.truncate(OFFERED);
                Self { why, offered: Some((job, others)) }
            }
        }
    }
}

#[component]
pub(super) fn Choose(a: String, b: String, choice: Choice) -> impl IntoView {
    let Choice { why, offered } = choice;
    let field = |id: &'static str, label: &'static str, value: String| {
        view! {
            <div class="field">
                <label for=format!("compare-{id}")>{label}</label>
                <input id=format!("compare-{id}") name=id type="text" inputmode="numeric" pattern="#?[0-9]+" required
                    title="The number of a job" autocomplete="off" value=value />
            </div>
        }
    };
    let offered = offered.filter(|(_, others)| !others.is_empty());
    view! {
        <Title text="Compare jobs" />
        <div class="page-head">
            <h1>"Compare jobs"</h1>
        </div>
        <Alert message=Signal::stored(why.map(|why| why.message())) />
        <form class="form-row" method="get" action=paths::COMPARE>
            {field("a", "Job before", a)}
            {field("b", "Job after", b)}
            <button class="button is-primary" type="submit">"Compare"</button>
        </form>
        {offered.map(|(job, others)| view! { <Offered job others /> })}
    }
}

#[component]
fn Offered(job: JobSummary, others: Vec<JobSummary>) -> impl IntoView {
    let title = format!("Last jobs of {} on {}", job.branch_name, job.environment);
    // As they followed each other.
    let href = move |other: JobId| paths::compare(other.min(job.id), other.max(job.id));
    view! {
        <h2 class="offered">{title}</h2>
        <JobTable jobs=Signal::stored(others) href />
    }
}
