//! The facts about a job: where it runs what, for whom, since when, and what is not as it should be.

use crate::client;
use crate::components::facts::{fact, facts};
use crate::components::time_stamp::{maybe_time_stamp, time_stamp, took};
use crate::html::{Child, el};
use crate::poll::Clock;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::api::{CleanupState, JobSummary, LogsState, SyncState};
use std::time::Duration;

pub(super) fn overview(job: &JobSummary, clock: Clock) -> AnyView {
    let remarks = remarks(job);
    let notes = el("ul").class("remarks").attr_if("hidden", remarks.is_empty().then_some(""));
    let commit = el("code").attr("title", job.commit.clone()).child(words::short_commit(&job.commit));
    let origin = job.rerun_of.map(|of| el("a").attr("href", paths::job(of)).child(format!("Job #{of}")));
    let report = el("a").attr("href", client::junit_url(job.id)).attr("rel", "external").attr("download", "");
    let known = [
        Some(fact("Branch", el("span").class("branch").child(job.branch_name.clone()))),
        Some(fact("Commit", commit)),
        Some(fact("Environment", job.environment.clone())),
        Some(fact("Submitted by", job.user.username.clone())),
        Some(fact("Submitted", time_stamp(job.created_at, clock))),
        Some(fact("Started", maybe_time_stamp(job.started_at, clock))),
        Some(fact("Finished", maybe_time_stamp(job.finished_at, clock))),
        Some(fact("Took", took(job.started_at, job.finished_at, clock))),
        Some(fact("Time limit", words::duration(Duration::from_secs(job.timeout_s)))),
        origin.map(|origin| fact("Rerun of", origin)),
        Some(fact("Report", report.child("JUnit XML"))),
    ];
    let remark = |remark: String| el("li").child(remark);
    let notes = notes.child(remarks.into_iter().map(remark).collect::<Vec<_>>());
    vec![notes, facts(known.into_iter().flatten().collect())].drawn()
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
