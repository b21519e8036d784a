//! What is not as it should be about a job, or what it still waits for: said at once, in sentences.

use crate::components::icon::Icon;
use leptos::prelude::*;
use protocol::api::{CleanupState, JobSummary, LogsState, SyncState};

#[component]
pub(super) fn Remarks(#[prop(into)] job: Signal<JobSummary>) -> impl IntoView {
    let told = Memo::new(move |_| job.with(remarks));
    let items = move || {
        let item = |remark: String| {
            view! {
                <li>
                    <Icon name="warning" />
                    {remark}
                </li>
            }
        };
        told.get().into_iter().map(item).collect_view()
    };
    view! {
        <ul class="remarks" aria-label="Remarks" hidden=move || told.with(Vec::is_empty)>{items}</ul>
    }
}

fn remarks(job: &JobSummary) -> Vec<String> {
    let mut remarks = Vec::new();
    let has_ended = job.status.is_terminal();
    if job.delete_requested {
        remarks.push("Its deletion waits for the remote test server.".to_owned());
    } else if job.abort_requested && !has_ended {
        remarks.push("Its abort waits for the remote test server.".to_owned());
    }
    let cleanup = match job.cleanup.state {
        CleanupState::Failed => "Its workspace could not be removed",
        CleanupState::Pending | CleanupState::None | CleanupState::Done => "Its workspace is not removed yet",
    };
    let logs = match job.logs.state {
        LogsState::Incomplete => "The logs are incomplete",
        LogsState::Mirroring | LogsState::Complete => "The logs are not all here yet",
    };
    let told = [
        (has_trouble(job), "The remote test server can't be asked", &job.sync.error),
        (job.logs.error.is_some() || job.logs.state == LogsState::Incomplete, logs, &job.logs.error),
        (job.cleanup.error.is_some() || job.cleanup.state == CleanupState::Failed, cleanup, &job.cleanup.error),
    ];
    for (_, what, why) in told.into_iter().filter(|(applies, ..)| *applies) {
        remarks.push(match why {
            Some(why) => format!("{what}: {why}"),
            None => format!("{what}."),
        });
    }
    remarks
}

/// Of a job that was never sent the same error says why.
fn has_trouble(job: &JobSummary) -> bool {
    match job.sync.state {
        SyncState::Failing => true,
        SyncState::Pending => job.sync.error.is_some() && !job.status.is_terminal(),
        SyncState::Synced => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::JobStatus;

    fn job() -> JobSummary {
        serde_json::from_str(include_str!("../dashboard/job_summary.json")).expect("a job")
    }

    #[test]
    fn a_job_that_is_as_it_should_be_needs_no_words() {
        let mut job = job();
        assert_eq!(remarks(&job), Vec::<String>::new());
        (job.status, job.abort_requested) = (JobStatus::Aborted, true);
        assert_eq!(remarks(&job), Vec::<String>::new());
    }

    #[test]
    fn what_failed_is_told_with_its_reason() {
        let mut job = job();
        job.sync.state = SyncState::Failing;
        job.sync.error = Some("connection refused".to_owned());
        assert_eq!(remarks(&job), ["The remote test server can't be asked: connection refused"]);
    }

    #[test]
    fn a_clean_up_or_a_mirror_in_trouble_is_told_before_it_gives_up() {
        let mut job = job();
        job.status = JobStatus::Passed;
        job.cleanup.state = CleanupState::Pending;
        job.cleanup.error = Some("permission denied".to_owned());
        job.logs.error = Some("the disk is full".to_owned());
        job.logs.state = LogsState::Mirroring;
        assert_eq!(
            remarks(&job),
            ["The logs are not all here yet: the disk is full", "Its workspace is not removed yet: permission denied"]
        );
        (job.cleanup.state, job.cleanup.error) = (CleanupState::Failed, None);
        job.logs.state = LogsState::Incomplete;
        assert_eq!(remarks(&job), ["The logs are incomplete: the disk is full", "Its workspace could not be removed."]);
    }
}
