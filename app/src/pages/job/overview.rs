//! The facts about a job: where it runs what, for whom, since when, and what is not as it should be.

use crate::client;
use crate::components::facts::{Fact, Facts};
use crate::components::time_stamp::{MaybeTimeStamp, TimeStamp, Took};
use crate::{paths, words};
use leptos::prelude::*;
use protocol::api::{CleanupState, Job, JobSummary, LogsState, SyncState};
use std::time::Duration;

#[component]
pub(super) fn Overview(job: RwSignal<Job>) -> impl IntoView {
    let summary = move || job.with(|job| job.summary.clone());
    let fixed = job.with_untracked(|job| job.summary.clone());
    let started_at = Memo::new(move |_| job.with(|job| job.summary.started_at));
    let finished_at = Memo::new(move |_| job.with(|job| job.summary.finished_at));
    let created_at = fixed.created_at;
    let remarks = Memo::new(move |_| remarks(&summary()));
    view! {
        <ul class="remarks" hidden=move || remarks.with(Vec::is_empty)>
            {move || remarks.get().into_iter().map(|remark| view! { <li>{remark}</li> }).collect_view()}
        </ul>
        <Facts>
            <Fact name="Branch"><span class="branch">{fixed.branch_name.clone()}</span></Fact>
            <Fact name="Commit"><code title=fixed.commit.clone()>{words::short_commit(&fixed.commit).to_owned()}</code></Fact>
            <Fact name="Environment">{fixed.environment.clone()}</Fact>
            <Fact name="Submitted by">{move || summary().user.username}</Fact>
            <Fact name="Submitted"><TimeStamp at=Signal::derive(move || created_at) /></Fact>
            <Fact name="Started"><MaybeTimeStamp at=started_at /></Fact>
            <Fact name="Finished"><MaybeTimeStamp at=finished_at /></Fact>
            <Fact name="Took"><Took from=started_at until=finished_at /></Fact>
            <Fact name="Time limit">{words::duration(Duration::from_secs(fixed.timeout_s))}</Fact>
            {fixed.rerun_of.map(|of| view! {
                <Fact name="Rerun of"><a href=paths::job(of)>{format!("Job #{of}")}</a></Fact>
            })}
            <Fact name="Report"><a href=client::junit_url(fixed.id) rel="external" download="">"JUnit XML"</a></Fact>
        </Facts>
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
