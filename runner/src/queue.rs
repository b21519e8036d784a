//! Pure decisions about queues and tasks: what starts next, what an exit means, what a queue has become.
//! No clock, no database, no process: all of it can be tested as tables.

use protocol::{QueueStatus, TaskStatus};
use std::time::Duration;

/// A queue that has tasks waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub number: i64,
    pub waiting: usize,
    /// The first of its waiting tasks.
    pub next_task: i32,
    pub checkout: Checkout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    Missing,
    /// Under way, in a slot of its own.
    Running,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Prepare { queue: i64 },
    Start { queue: i64, n: i32 },
}

/// What to do with a free slot, given the queues with waiting tasks, oldest first. A queue under checkout keeps
/// the free slots that its tasks will take, so that a younger queue does not overtake it.
pub fn next_step(candidates: &[Candidate], free_slots: usize) -> Option<Step> {
    let mut free = free_slots;
    for candidate in candidates {
        if free == 0 {
            return None;
        }
        match candidate.checkout {
            Checkout::Missing => return Some(Step::Prepare { queue: candidate.number }),
            Checkout::Done => return Some(Step::Start { queue: candidate.number, n: candidate.next_task }),
            // One of its tasks will have the slot in which the checkout runs.
            Checkout::Running => free = free.saturating_sub(candidate.waiting.saturating_sub(1)),
        }
    }
    None
}

/// How a task's process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Exited(i32),
    Signalled(i32),
    TimedOut(Duration),
    Aborted,
    /// The runner itself stops.
    RunnerStopped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: TaskStatus,
    pub exit_code: Option<i32>,
    /// `None` leaves the task's last message.
    pub message: Option<String>,
}

/// Words for a task that was running when the runner ended.
pub const RUNNER_STOPPED: &str = "the test server stopped while this task was running";

pub fn verdict(end: End) -> Verdict {
    let (status, exit_code, message) = match end {
        End::Exited(0) => (TaskStatus::Passed, Some(0), None),
        End::Exited(77) => (TaskStatus::Skipped, Some(77), None),
        End::Exited(99) => (TaskStatus::Error, Some(99), None),
        End::Exited(code) => (TaskStatus::Failed, Some(code), None),
        End::Signalled(signal) => (TaskStatus::Failed, None, Some(format!("killed by signal {signal}"))),
        End::TimedOut(limit) => (TaskStatus::Error, None, Some(format!("timed out after {} s", limit.as_secs()))),
        End::Aborted => (TaskStatus::Aborted, None, None),
        End::RunnerStopped => (TaskStatus::Error, None, Some(RUNNER_STOPPED.to_owned())),
    };
    Verdict { status, exit_code, message }
}

/// What a queue has become once none of its tasks is waiting or running; `None` before.
pub fn final_status(tasks: &[TaskStatus]) -> Option<QueueStatus> {
    if !tasks.iter().all(|status| status.is_terminal()) {
        return None;
    }
    // An abort that came after the last task had ended by itself changes nothing.
    let was_aborted = tasks.contains(&TaskStatus::Aborted);
    Some(if was_aborted { QueueStatus::Aborted } else { QueueStatus::Finished })
}

/// Whether the server itself must end a queue that has run for so long.
pub fn is_overdue(ran_for: Duration, timeout_s: u64, overtime: Duration) -> bool {
    ran_for >= Duration::from_secs(timeout_s).saturating_add(overtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: i64, waiting: usize, checkout: Checkout) -> Candidate {
        Candidate { number, waiting, next_task: 1, checkout }
    }

    #[test]
    fn the_oldest_queue_goes_first() {
        use Checkout::{Done, Missing, Running};
        let (prepare, start) = (|queue| Some(Step::Prepare { queue }), |queue| Some(Step::Start { queue, n: 1 }));
        for (candidates, free, expected) in [
            (vec![], 4, None),
            (vec![candidate(1, 1, Done)], 0, None),
            (vec![candidate(1, 1, Missing), candidate(2, 1, Done)], 1, prepare(1)),
            (vec![candidate(1, 3, Done), candidate(2, 1, Done)], 1, start(1)),
            (vec![candidate(1, 2, Running), candidate(2, 1, Done)], 1, None),
            (vec![candidate(1, 1, Running), candidate(2, 1, Done)], 1, start(2)),
            (vec![candidate(1, 2, Running), candidate(2, 1, Missing)], 2, prepare(2)),
        ] {
            assert_eq!(next_step(&candidates, free), expected, "{candidates:?}, {free} free");
        }
    }

    #[test]
    fn exit_codes_have_the_contracts_meaning() {
        let status = |end| verdict(end).status;
        assert_eq!(status(End::Exited(0)), TaskStatus::Passed);
        assert_eq!(status(End::Exited(77)), TaskStatus::Skipped);
        assert_eq!(status(End::Exited(99)), TaskStatus::Error);
        for code in [1, 2, 78, 126, 127, 255] {
            assert_eq!(status(End::Exited(code)), TaskStatus::Failed, "{code}");
        }
        assert_eq!(status(End::Signalled(11)), TaskStatus::Failed);
        let timeout = verdict(End::TimedOut(Duration::from_secs(90)));
        assert_eq!((timeout.status, timeout.message.as_deref()), (TaskStatus::Error, Some("timed out after 90 s")));
    }

    #[test]
    fn a_queue_is_final_when_all_its_tasks_are() {
        use TaskStatus::{Aborted, Failed, Passed, Running, Waiting};
        for (tasks, expected) in [
            (vec![Passed, Waiting], None),
            (vec![Aborted, Running], None),
            (vec![Passed, Failed], Some(QueueStatus::Finished)),
            (vec![Passed, Aborted], Some(QueueStatus::Aborted)),
        ] {
            assert_eq!(final_status(&tasks), expected, "{tasks:?}");
        }
    }

    #[test]
    fn the_server_ends_a_queue_after_its_limit_and_overtime() {
        let overdue = |ms| is_overdue(Duration::from_millis(ms), 10, Duration::from_secs(50));
        assert_eq!([59_999, 60_000, u64::MAX].map(overdue), [false, true, true]);
        assert!(!is_overdue(Duration::from_secs(1), u64::MAX, Duration::from_secs(50)));
    }
}
