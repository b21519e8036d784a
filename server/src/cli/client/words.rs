//! Jobs in words: counts, durations, reasons and addresses, the same in every command.

use super::api::Api;
use super::out::printable;
use protocol::api::{JobSummary, Task, TaskCounts};
use protocol::{JobId, TaskStatus};
use std::time::Duration;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60_000;

/// The job's page.
pub(super) fn job_url(api: &Api, id: JobId) -> String {
    format!("{}/jobs/{id}", api.base())
}

/// `812 ms`, `42.1 s`, and from a minute on `3:05` or `1:02:03`.
pub(super) fn duration(ms: i64) -> String {
    let seconds = ms / SECOND_MS;
    match ms {
        ..SECOND_MS => format!("{} ms", ms.max(0)),
        SECOND_MS..MINUTE_MS => format!("{}.{} s", seconds, ms % SECOND_MS / 100),
        _ if seconds < 3_600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

pub(super) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..3_600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

/// `7 passed, 1 failed`.
pub(super) fn counts(counts: &TaskCounts) -> String {
    let all = [
        (counts.waiting, "waiting"),
        (counts.running, "running"),
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.error, "error"),
        (counts.aborted, "aborted"),
        (counts.skipped, "skipped"),
    ];
    let told = all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    told.collect::<Vec<_>>().join(", ")
}

/// Why a job ended as it did, where that is more than its tasks say.
pub(super) fn reason(job: &JobSummary) -> Option<String> {
    let reason = job.status_reason.as_deref()?;
    let told = match reason.split_once(':') {
        Some(("aborted_by", name)) => format!("by {name}"),
        _ => reason.replace('_', " "),
    };
    let why = job.sync.error.as_deref().filter(|_| job.status == protocol::JobStatus::Error);
    Some(printable(&why.map_or(told.clone(), |why| format!("{told}: {why}"))))
}

/// What an ended or running task has to say.
pub(super) fn remark(task: &Task) -> String {
    let has_failed = matches!(task.status, TaskStatus::Failed | TaskStatus::Error);
    let code = task.exit_code.filter(|_| has_failed).map(|code| format!("exit code {code}"));
    let message = Some(printable(&task.message)).filter(|message| !message.is_empty());
    [code, message].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_to_read() {
        for (ms, text) in [
            (0, "0 ms"),
            (812, "812 ms"),
            (42_150, "42.1 s"),
            (59_999, "59.9 s"),
            (185_000, "3:05"),
            (3_723_000, "1:02:03"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(elapsed(Duration::from_secs(3_605)), "1:00:05");
    }
}
