//! The list of jobs, newest first: a table on a wide screen, cards on a phone.

use super::progress::{OutcomeBar, counted};
use super::rows::Rows;
use super::status_badge::JobStatusBadge;
use super::time_stamp::{Ago, took};
use crate::poll::Clock;
use crate::words;
use leptos::prelude::*;
use protocol::api::JobSummary;
use protocol::{JobId, reason};

#[component]
pub(crate) fn JobTable(
    #[prop(into)] jobs: Signal<Vec<JobSummary>>,
    /// Where a job's row leads.
    #[prop(into)]
    href: Callback<JobId, String>,
) -> impl IntoView {
    let keys = Signal::derive(move || jobs.with(|jobs| jobs.iter().map(|job| (job.id.0, 0)).collect::<Vec<_>>()));
    let row = Callback::new(move |(id, _)| {
        let seed = jobs.with_untracked(|jobs| jobs.iter().find(|job| job.id.0 == id).cloned());
        seed.map(|seed| view! { <JobRow jobs seed href /> }).into_any()
    });
    view! {
        <table class="table job-table" role="table" aria-label="Jobs">
            <thead role="rowgroup">
                <tr role="row">
                    <th role="columnheader" scope="col">"Job"</th>
                    <th role="columnheader" scope="col">"Status"</th>
                    <th role="columnheader" scope="col">"Branch"</th>
                    <th role="columnheader" scope="col">"Environment"</th>
                    <th role="columnheader" scope="col">"Scenarios"</th>
                    <th role="columnheader" scope="col">"By"</th>
                    <th role="columnheader" scope="col">"Submitted"</th>
                    <th role="columnheader" scope="col">"Took"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                <Rows keys row />
            </tbody>
        </table>
    }
}

/// What never changes of a job is drawn once; of the rest, only what did change is drawn anew.
#[component]
fn JobRow(jobs: Signal<Vec<JobSummary>>, seed: JobSummary, href: Callback<JobId, String>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let (id, created_at) = (seed.id, seed.created_at);
    let (branch, environment, user) = (seed.branch_name.clone(), seed.environment.clone(), seed.user.username.clone());
    let commit = words::short_commit(&seed.commit).to_owned();
    let job = job_of(jobs, seed);
    let status = Memo::new(move |_| job.with(|job| job.status));
    let counts = Memo::new(move |_| job.with(|job| job.counts));
    let times = Memo::new(move |_| job.with(|job| (job.started_at, job.finished_at)));
    view! {
        <tr role="row">
            <td role="cell" class="job-number">
                <a href=href.run(id) aria-label=format!("Job #{id}")>{format!("#{id}")}</a>
            </td>
            <td role="cell" class="job-status">
                {move || view! { <JobStatusBadge status=status.get() /> }}
                <span class="job-hint" title=move || job.with(hint)>{move || job.with(hint)}</span>
            </td>
            <td role="cell" class="job-branch">
                <span class="branch" title=branch.clone()>{branch.clone()}</span>
                <code class="job-commit">{commit}</code>
            </td>
            <td role="cell" class="job-environment">{environment}</td>
            <td role="cell" class="job-counts">
                {move || view! { <OutcomeBar counts=counts.get() /> }}
                {move || counted(counts.get())}
            </td>
            <td role="cell" class="job-user">{user}</td>
            <td role="cell" class="job-created"><Ago at=created_at /></td>
            <td role="cell" class="job-took">{move || took(times.get().0, times.get().1, clock)}</td>
        </tr>
    }
}

/// The row's own job in the list as it changes; while the row is on its way out, as it was last.
fn job_of(jobs: Signal<Vec<JobSummary>>, seed: JobSummary) -> Memo<JobSummary> {
    Memo::new(move |last: Option<&JobSummary>| {
        let found = jobs.with(|jobs| jobs.iter().find(|job| job.id == seed.id).cloned());
        found.or_else(|| last.cloned()).unwrap_or_else(|| seed.clone())
    })
}

/// What is wanted of it, or why it ended.
fn hint(job: &JobSummary) -> String {
    if job.delete_requested {
        return "being deleted".to_owned();
    }
    if job.abort_requested {
        return "being aborted".to_owned();
    }
    if let Some(position) = job.position {
        return format!("{position}. in line");
    }
    // That some scenarios could not be run says the bar beside it.
    let reason = job.status_reason.as_deref().filter(|reason| *reason != reason::TASKS_ERRORED);
    // The badge says what was done.
    let told = |reason: &str| match reason.strip_prefix("aborted_by:") {
        Some(username) => format!("by {username}"),
        None => words::status_reason(reason),
    };
    reason.map(told).unwrap_or_default()
}
