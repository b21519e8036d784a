//! The list of jobs, newest first: a table on a wide screen, cards on a phone.

use super::progress::{counted, outcome_bar};
use super::status_badge::job_status_badge;
use super::time_stamp::{time_stamp, took};
use crate::html::{Html, Keyed, el, keyed, live};
use crate::poll::Clock;
use crate::words;
use leptos::prelude::*;
use protocol::JobId;
use protocol::api::JobSummary;

/// `href`: where a job's own view is.
pub(crate) fn job_table(jobs: Signal<Vec<JobSummary>>, href: fn(JobId) -> String) -> Html {
    let clock = expect_context::<Clock>();
    let row = move |job: JobSummary| {
        let job = row_of(jobs, job);
        live(move || job.with(|job| job_row(job, href, clock)))
    };
    let rows = move || jobs.get().into_iter().map(|job| Keyed::new(job.id, move || row(job))).collect();
    let column = |name: &'static str| el("th").attr("role", "columnheader").attr("scope", "col").child(name);
    let columns = ["Job", "Status", "Branch", "Scenarios", "By", "Submitted", "Took"].map(column);
    let titles = el("tr").attr("role", "row").child(Vec::from(columns));
    el("table")
        .class("table job-table")
        .attr("role", "table")
        .attr("aria-label", "Jobs")
        .child(el("thead").attr("role", "rowgroup").child(titles))
        .child(el("tbody").attr("role", "rowgroup").child(keyed(rows)))
}

/// The row's own job in the list as it changes; while the row is on its way out, as it was last.
fn row_of(jobs: Signal<Vec<JobSummary>>, seed: JobSummary) -> Memo<JobSummary> {
    Memo::new(move |last: Option<&JobSummary>| {
        let found = jobs.with(|jobs| jobs.iter().find(|job| job.id == seed.id).cloned());
        found.or_else(|| last.cloned()).unwrap_or_else(|| seed.clone())
    })
}

/// Drawn as a whole: what changed in it is all that the browser gets to change.
fn job_row(job: &JobSummary, href: fn(JobId) -> String, clock: Clock) -> Html {
    let id = job.id;
    let cell = |class: &'static str| el("td").attr("role", "cell").class(class);
    let link = el("a").attr("href", href(id)).attr("aria-label", format!("Job #{id}")).child(format!("#{id}"));
    let status =
        cell("job-status").child(job_status_badge(job.status)).child(el("span").class("job-hint").child(hint(job)));
    let branch = cell("job-branch")
        .child(el("span").class("branch").child(job.branch_name.clone()))
        .child(el("span").class("job-environment").child(job.environment.clone()));
    el("tr")
        .attr("role", "row")
        .child(cell("job-number").child(link))
        .child(status)
        .child(branch)
        .child(cell("job-counts").child(outcome_bar(job.counts)).child(counted(job.counts)))
        .child(cell("job-user").child(job.user.username.clone()))
        .child(cell("job-created").child(time_stamp(job.created_at, clock)))
        .child(cell("job-took").child(took(job.started_at, job.finished_at, clock)))
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
