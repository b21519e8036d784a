//! The list of jobs, newest first: a table on a wide screen, cards on a phone.

use super::progress::{counted, outcome_bar};
use super::status_badge::job_status_badge;
use super::time_stamp::{time_stamp, took};
use crate::poll::Clock;
use crate::words;
use leptos::prelude::*;
use protocol::JobId;
use protocol::api::JobSummary;

#[component]
pub(crate) fn JobTable(
    #[prop(into)] jobs: Signal<Vec<JobSummary>>,
    /// Where a job's own view is.
    href: fn(JobId) -> String,
) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let row = move |job: JobSummary| {
        let job = row_of(jobs, job);
        move || job.with(|job| job_row(job, href, clock))
    };
    view! {
        <table class="table job-table" role="table" aria-label="Jobs">
            <thead role="rowgroup">
                <tr role="row">
                    <th role="columnheader" scope="col">"Job"</th>
                    <th role="columnheader" scope="col">"Status"</th>
                    <th role="columnheader" scope="col">"Branch"</th>
                    <th role="columnheader" scope="col">"Scenarios"</th>
                    <th role="columnheader" scope="col">"By"</th>
                    <th role="columnheader" scope="col">"Submitted"</th>
                    <th role="columnheader" scope="col">"Took"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                <For each=move || jobs.get() key=|job| job.id children=row />
            </tbody>
        </table>
    }
}

/// The row's own job in the list as it changes; while the row is on its way out, as it was last.
fn row_of(jobs: Signal<Vec<JobSummary>>, seed: JobSummary) -> Memo<JobSummary> {
    Memo::new(move |last: Option<&JobSummary>| {
        let found = jobs.with(|jobs| jobs.iter().find(|job| job.id == seed.id).cloned());
        found.or_else(|| last.cloned()).unwrap_or_else(|| seed.clone())
    })
}

/// Drawn as a whole: what changed in it is all that the browser gets to change.
fn job_row(job: &JobSummary, href: fn(JobId) -> String, clock: Clock) -> impl IntoView + use<> {
    let id = job.id;
    view! {
        <tr role="row">
            <td role="cell" class="job-number">
                <a href=href(id) aria-label=format!("Job #{id}")>{format!("#{id}")}</a>
            </td>
            <td role="cell" class="job-status">
                {job_status_badge(job.status)}
                <span class="job-hint">{hint(job)}</span>
            </td>
            <td role="cell" class="job-branch">
                <span class="branch">{job.branch_name.clone()}</span>
                <span class="job-environment">{job.environment.clone()}</span>
            </td>
            <td role="cell" class="job-counts">
                {outcome_bar(job.counts)}
                {counted(job.counts)}
            </td>
            <td role="cell" class="job-user">{job.user.username.clone()}</td>
            <td role="cell" class="job-created">{time_stamp(job.created_at, clock)}</td>
            <td role="cell" class="job-took">{took(job.started_at, job.finished_at, clock)}</td>
        </tr>
    }
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
    job.status_reason.as_deref().map(words::status_reason).unwrap_or_default()
}
