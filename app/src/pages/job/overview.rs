//! The facts about a job: where it runs what, for whom, since when, and what is not as it should be.

use crate::client;
use crate::components::facts::{Fact, Facts};
use crate::components::time_stamp::{MaybeTimeStamp, TimeStamp, took};
use crate::poll::Clock;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::api::{CleanupState, JobSummary, LogsState, SyncState};
use std::time::Duration;

#[component]
pub(super) fn Overview(job: JobSummary) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let remarks = remarks(&job);
    let nothing_to_remark = remarks.is_empty();
    let commit = words::short_commit(&job.commit).to_owned();
    let (started_at, finished_at) = (job.started_at, job.finished_at);
    let origin = job.rerun_of.map(|of| {
        view! { <Fact name="Rerun of"><a href=paths::job(of)>{format!("Job #{of}")}</a></Fact> }
    });
    view! {
        <ul class="remarks" hidden=nothing_to_remark>
            {remarks.into_iter().map(|remark| view! { <li>{remark}</li> }).collect_view()}
        </ul>
        <Facts>
            <Fact name="Branch"><span class="branch">{job.branch_name}</span></Fact>
            <Fact name="Commit"><code title=job.commit>{commit}</code></Fact>
            <Fact name="Environment">{job.environment}</Fact>
            <Fact name="Submitted by">{job.user.username}</Fact>
            <Fact name="Submitted"><TimeStamp at=job.created_at /></Fact>
            <Fact name="Started"><MaybeTimeStamp at=started_at /></Fact>
            <Fact name="Finished"><MaybeTimeStamp at=finished_at /></Fact>
            <Fact name="Took">{move || took(started_at, finished_at, clock)}</Fact>
            <Fact name="Time limit">{words::duration(Duration::from_secs(job.timeout_s))}</Fact>
            {origin}
            <Fact name="Report"><a href=client::junit_url(job.id) rel="external" download="">"JUnit XML"</a></Fact>
        </Facts>
    }
}

/// Sentences for what somebody would wonder about.
fn remarks(job: &JobSummary) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(reason) = &job.status_reason {
        let words = words::status_reason(reason);
        // Of these the remote test server has said more than the reason's own words.
        let has_more = matches!(reason.as_str(), "rejected" | "id_taken" | "remote_error");
        remarks.push(match job.sync.error.as_ref().filter(|_| has_more && job.sync.state != SyncState::Failing) {
            Some(said) => format!("{words}: {said}"),
            None => format!("{words}."),
        });
    }
    if let Some(position) = job.position {
        remarks.push(format!("Number {position} in the environment's waiting line."));
    }
    if job.delete_requested {
        remarks.push("Its deletion waits for the remote test server.".to_owned());
    } else if job.abort_requested {
        remarks.push("Its abort waits for the remote test server.".to_owned());
    }
    if job.sync.state == SyncState::Pending && !job.status.is_terminal() {
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
    use protocol::JobStatus;

    fn job() -> JobSummary {
        serde_json::from_str(include_str!("../dashboard/job_summary.json")).expect("a job")
    }

    #[test]
    fn a_job_that_waits_to_be_sent_says_so() {
        assert_eq!(remarks(&job()), ["Not sent to the remote test server yet."]);
    }

    #[test]
    fn a_job_that_ended_before_it_was_sent_waits_for_nothing() {
        let mut job = job();
        job.status = JobStatus::Aborted;
        assert_eq!(remarks(&job), Vec::<String>::new());
    }

    #[test]
    fn a_refused_job_says_what_the_remote_test_server_said() {
        let mut job = job();
        (job.status, job.sync.state) = (JobStatus::Error, SyncState::Synced);
        job.status_reason = Some("rejected".to_owned());
        job.sync.error = Some("the remote server can't run it: no branch \"gone\"".to_owned());
        let told = "The remote test server refused it: the remote server can't run it: no branch \"gone\"";
        assert_eq!(remarks(&job), [told]);
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
