//! From the end of a queue and of its tasks to the job's verdict.
//! A verdict is given once, and only on the remote server's word.

use super::reason;
use crate::store::tasks::Task;
use protocol::{JobStatus, QueueStatus, TaskStatus};

/// The verdict of a queue that has ended, with its `status_reason`.
/// `wanted` is the reason of an abort wanted here; `ran_too_long`: the queue was past its limit when it ended.
pub fn verdict(
    queue: QueueStatus,
    tasks: &[TaskStatus],
    wanted: Option<&str>,
    ran_too_long: bool,
) -> (JobStatus, Option<String>) {
    let has = |status: TaskStatus| tasks.contains(&status);
    if queue == QueueStatus::Error {
        return (JobStatus::Error, Some(reason::REMOTE_ERROR.to_owned()));
    }
    if queue == QueueStatus::Aborted || has(TaskStatus::Aborted) {
        let why = match wanted {
            Some(wanted) => wanted,
            None if ran_too_long => reason::TIMEOUT,
            None => reason::ABORTED_REMOTELY,
        };
        return (JobStatus::Aborted, Some(why.to_owned()));
    }
    // All tasks ended by themselves: an abort that came too late changes nothing.
    if has(TaskStatus::Failed) {
        return (JobStatus::Failed, None);
    }
    if has(TaskStatus::Error) {
        return (JobStatus::Error, Some(reason::TASKS_ERRORED.to_owned()));
    }
    (JobStatus::Passed, None)
}

/// Why a queue has ended in error: in its server's words where it has some, or else in those of its first task that did.
pub fn why_in_error(queue_message: &str, tasks: &[Task]) -> String {
    if !queue_message.is_empty() {
        return queue_message.to_owned();
    }
    let errored: Vec<&Task> = tasks.iter().filter(|task| task.status == TaskStatus::Error).collect();
    if errored.is_empty() {
        return "the remote server ended the queue in error and does not say why".to_owned();
    }
    let told = format!("{} of {} tasks ended in error", errored.len(), tasks.len());
    match errored.iter().find(|task| !task.message.is_empty()) {
        Some(task) => format!("{told}: {}", task.message),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JobStatus as J;
    use QueueStatus as Q;
    use TaskStatus as T;

    #[test]
    fn every_end_of_a_queue_has_its_verdict() {
        type Case<'a> = (Q, &'a [T], Option<&'a str>, bool, J, Option<&'a str>);
        let ada = Some("aborted_by:ada");
        let cases: &[Case<'_>] = &[
            (Q::Finished, &[T::Passed], None, false, J::Passed, None),
            (Q::Finished, &[T::Passed, T::Skipped], None, false, J::Passed, None),
            (Q::Finished, &[T::Skipped], None, false, J::Passed, None),
            (Q::Finished, &[T::Passed, T::Failed, T::Error], None, false, J::Failed, None),
            (Q::Finished, &[T::Passed, T::Error], None, false, J::Error, Some("tasks_errored")),
            (Q::Finished, &[T::Passed], ada, false, J::Passed, None),
            (Q::Finished, &[T::Failed], Some("timeout"), true, J::Failed, None),
            (Q::Finished, &[T::Passed, T::Aborted], ada, false, J::Aborted, ada),
            (Q::Aborted, &[T::Passed, T::Aborted], ada, false, J::Aborted, ada),
            (Q::Aborted, &[T::Failed, T::Aborted], None, false, J::Aborted, Some("aborted_remotely")),
            (Q::Aborted, &[T::Aborted], None, true, J::Aborted, Some("timeout")),
            (Q::Aborted, &[T::Passed], Some("waited_too_long"), false, J::Aborted, Some("waited_too_long")),
            (Q::Error, &[T::Passed, T::Aborted], ada, true, J::Error, Some("remote_error")),
        ];
        for (queue, tasks, wanted, too_long, status, why) in cases {
            let expected = (*status, why.map(str::to_owned));
            assert_eq!(verdict(*queue, tasks, *wanted, *too_long), expected, "{queue} {tasks:?} {wanted:?} {too_long}");
        }
    }
}
