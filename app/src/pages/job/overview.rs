//! The facts about a job: where it runs what, for whom, since when, and what is not as it should be.

use crate::client;
use crate::components::facts::{fact, facts};
use crate::components::time_stamp::{maybe_time_stamp, time_stamp, took};
use crate::poll::Clock;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::api::{CleanupState, JobSummary, LogsState, SyncState};
use std::time::Duration;

pub(super) fn overview(job: &JobSummary, clock: Clock) -> impl IntoView + use<> {
    let remarks = remarks(job);
    let nothing_to_remark = remarks.is_empty();
    let commit = view! { <code title=job.commit.clone()>{words::short_commit(&job.commit).to_owned()}</code> };
    let report = view! { <a href=client::junit_url(job.id) rel="external" download="">"JUnit XML"</a> };
    let origin = job.rerun_of.map(|of| fact("Rerun of", view! { <a href=paths::job(of)>{format!("Job #{of}")}</a> }));
    view! {
        <ul class="remarks" hidden=nothing_to_remark>
            {remarks.into_iter().map(|remark| view! { <li>{remark}</li> }).collect_view()}
        </ul>
        {facts((
            fact("Branch", view! { <span class="branch">{job.branch_name.clone()}</span> }),
            fact("Commit", commit),
            fact("Environment", job.environment.clone()),
            fact("Submitted by", job.user.username.clone()),
            fact("Submitted", time_stamp(job.created_at, clock)),
            fact("Started", maybe_time_stamp(job.started_at, clock)),
            fact("Finished", maybe_time_stamp(job.finished_at, clock)),
            fact("Took", took(job.started_at, job.finished_at, clock)),
            fact("Time limit", words::duration(Duration::from_secs(job.timeout_s))),
            origin,
            fact("Report", report),
        ))}
    }
}

/// Sentences for what somebody would wonder about.
fn remarks(job: &JobSummary) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(reason) = &job.status_reason {
        remarks.push(format!("{}.", words::status_reason(reason)));
    }
    if let Some(position) = job.position {
        remarks.push(format!("Number {position} in the environment's waiting line."));
    }
    if job.delete_requested {
        remarks.push("Its deletion waits for the remote test server.".to_owned());
    } else if job.abort_requested {
        remarks.push("Its abort waits for the remote test server.".to_owned());
    }
    if job.sync.state == SyncState::Pending {
        remarks.push("Not sent to the remote test server yet.".to_owned());
    }
    let told = [
        (job.sync.state == SyncState::Failing, "The remote test server can't be asked", &job.sync.error),
        (job.logs.state == LogsState::Incomplete, "The logs are incomplete", &job.logs.error),
        (job.cleanup.state == CleanupState::Failed, "Its workspace could not be removed", &job.cleanup.error),
    ];
    for (_, what, why) in told.into_iter().filter(|(applies, ..)| *applies) {
        remarks.push(match why {
            Some(why) => format!("{what}: {why}"),
            None => format!("{what}."),
        });
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobSummary {
        serde_json::from_str(include_str!("../dashboard/job_summary.json")).expect("a job")
    }

    #[test]
    fn a_job_that_waits_to_be_sent_says_so() {
        assert_eq!(remarks(&job()), ["Not sent to the remote test server yet."]);
    }

    #[test]
    fn what_failed_is_told_with_its_reason() {
        let mut job = job();
        job.status_reason = Some("aborted_by:ada".to_owned());
        job.sync.state = SyncState::Failing;
        job.sync.error = Some("connection refused".to_owned());
        assert_eq!(remarks(&job), ["Aborted by ada.", "The remote test server can't be asked: connection refused"]);
    }
}
