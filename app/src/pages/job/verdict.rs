//! A job in a sentence: how it ended and why, or how far it is and what it waits for. Without a full stop.

use crate::words;
use protocol::JobStatus;
use protocol::api::{JobSummary, SyncState, TaskCounts};

pub(super) fn verdict(job: &JobSummary) -> String {
    let counts = job.counts;
    match job.status {
        JobStatus::Waiting => waiting(job),
        JobStatus::InProgress => {
            format!("{} of {} done", counts.ended(), words::plural(counts.total.into(), "scenario"))
        }
        JobStatus::Passed => passed(counts),
        JobStatus::Failed => unhappy(counts),
        JobStatus::Error | JobStatus::Aborted => {
            let tasks_say_it = matches!(job.status_reason.as_deref(), None | Some("tasks_errored"));
            if tasks_say_it && counts.error > 0 {
                return unhappy(counts);
            }
            let why = job.status_reason.as_deref().map(words::status_reason).unwrap_or_default();
            match job.sync.error.as_ref().filter(|_| says_more(job)) {
                Some(said) => format!("{why}: {said}"),
                None => why,
            }
        }
    }
}

/// What it stands behind, as far as that is known.
fn waiting(job: &JobSummary) -> String {
    let environment = &job.environment;
    if job.sync.state == SyncState::Pending {
        return format!("Not sent to {environment} yet");
    }
    match job.position {
        Some(1) => format!("Next in {environment}'s waiting line"),
        Some(position) => {
            format!("Number {position} in {environment}'s waiting line, behind {}", jobs(position.saturating_sub(1)))
        }
        None => format!("Waits for {environment}"),
    }
}

fn jobs(count: u32) -> String {
    words::plural(count.into(), "job")
}

fn passed(counts: TaskCounts) -> String {
    let skipped = if counts.skipped > 0 { format!(", {} skipped", counts.skipped) } else { String::new() };
    match (counts.passed, counts.total) {
        (1, 1) => "The scenario passed".to_owned(),
        (passed, total) if passed == total => format!("All {total} scenarios passed"),
        (passed, total) => format!("{passed} of {} passed{skipped}", words::plural(total.into(), "scenario")),
    }
}

fn unhappy(counts: TaskCounts) -> String {
    let all = words::plural(counts.total.into(), "scenario");
    match (counts.failed, counts.error) {
        (0, error) => format!("{error} of {all} could not be run"),
        (failed, 0) => format!("{failed} of {all} failed"),
        (failed, error) => format!("{failed} of {all} failed, {error} could not be run"),
    }
}

/// Whether the remote test server has said more of the end than the reason's own words.
fn says_more(job: &JobSummary) -> bool {
    job.sync.state != SyncState::Failing
        && matches!(job.status_reason.as_deref(), Some("rejected" | "id_taken" | "other_instance" | "remote_error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(status: JobStatus) -> JobSummary {
        let mut job: JobSummary = serde_json::from_str(include_str!("../dashboard/job_summary.json")).expect("a job");
        job.status = status;
        job.sync.state = SyncState::Synced;
        job.counts = TaskCounts { total: 7, ..TaskCounts::default() };
        job
    }

    #[test]
    fn a_waiting_job_says_what_it_waits_for() {
        let mut job = job(JobStatus::Waiting);
        job.environment = "bench-a".to_owned();
        assert_eq!(verdict(&job), "Waits for bench-a");
        job.position = Some(1);
        assert_eq!(verdict(&job), "Next in bench-a's waiting line");
        job.position = Some(3);
        assert_eq!(verdict(&job), "Number 3 in bench-a's waiting line, behind 2 jobs");
        job.sync.state = SyncState::Pending;
        assert_eq!(verdict(&job), "Not sent to bench-a yet");
    }

    #[test]
    fn an_ended_job_says_how_many_of_its_scenarios_went_how() {
        let mut job = job(JobStatus::Passed);
        job.counts.passed = 7;
        assert_eq!(verdict(&job), "All 7 scenarios passed");
        (job.counts.passed, job.counts.skipped) = (5, 2);
        assert_eq!(verdict(&job), "5 of 7 scenarios passed, 2 skipped");
        (job.status, job.counts.failed) = (JobStatus::Failed, 2);
        assert_eq!(verdict(&job), "2 of 7 scenarios failed");
        job.counts.error = 1;
        assert_eq!(verdict(&job), "2 of 7 scenarios failed, 1 could not be run");
        (job.status, job.counts.failed) = (JobStatus::Error, 0);
        job.status_reason = Some("tasks_errored".to_owned());
        assert_eq!(verdict(&job), "1 of 7 scenarios could not be run");
    }

    #[test]
    fn a_job_that_was_ended_says_by_whom_or_what() {
        let mut job = job(JobStatus::Aborted);
        job.status_reason = Some("aborted_by:ada".to_owned());
        assert_eq!(verdict(&job), "Aborted by ada");
        job.status_reason = Some("timeout".to_owned());
        assert_eq!(verdict(&job), "Ran past its time limit");
    }

    #[test]
    fn a_refused_job_says_what_the_remote_test_server_said() {
        let mut job = job(JobStatus::Error);
        job.status_reason = Some("rejected".to_owned());
        job.sync.error = Some("the remote server can't run it: no branch \"gone\"".to_owned());
        let told = "The remote test server refused it: the remote server can't run it: no branch \"gone\"";
        assert_eq!(verdict(&job), told);
    }
}
