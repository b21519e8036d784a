//! The list of jobs, newest first: a table on a wide screen, cards on a phone.

use super::progress::{OutcomeBar, counted};
use super::status_badge::JobStatusBadge;
use super::time_stamp::{TimeStamp, Took};
use crate::words;
use leptos::prelude::*;
use protocol::api::JobSummary;

#[component]
pub(crate) fn JobTable(
    #[prop(into)] jobs: Signal<Vec<JobSummary>>,
    /// Where a job's own view is.
    href: fn(protocol::JobId) -> String,
) -> impl IntoView {
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
                <For each=move || jobs.get() key=|job| job.id let:job>
                    <JobRow job=row_of(jobs, job) href />
                </For>
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

#[component]
fn JobRow(job: Memo<JobSummary>, href: fn(protocol::JobId) -> String) -> impl IntoView {
    let id = job.with_untracked(|job| job.id);
    let text = move |part: fn(&JobSummary) -> String| move || job.with(part);
    view! {
        <tr role="row">
            <td role="cell" class="job-number">
                <a href=href(id) aria-label=format!("Job #{id}")>{format!("#{id}")}</a>
            </td>
            <td role="cell" class="job-status">
                <JobStatusBadge status=Signal::derive(move || job.with(|job| job.status)) />
                <span class="job-hint">{text(hint)}</span>
            </td>
            <td role="cell" class="job-branch">
                <span class="branch">{text(|job| job.branch_name.clone())}</span>
                <span class="job-environment">{text(|job| job.environment.clone())}</span>
            </td>
            <td role="cell" class="job-counts">
                <OutcomeBar counts=Signal::derive(move || job.with(|job| job.counts)) />
                {text(|job| counted(job.counts))}
            </td>
            <td role="cell" class="job-user">{text(|job| job.user.username.clone())}</td>
            <td role="cell" class="job-created">
                <TimeStamp at=Signal::derive(move || job.with(|job| job.created_at)) />
            </td>
            <td role="cell" class="job-took">
                <Took
                    from=Signal::derive(move || job.with(|job| job.started_at))
                    until=Signal::derive(move || job.with(|job| job.finished_at))
                />
            </td>
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
