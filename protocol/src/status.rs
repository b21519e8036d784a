//! The life of a job, of a queue at the remote test server, and of a task, as words.
//! Whether a word is final is decided here and nowhere else.

use serde::{Deserialize, Serialize};

words! {
    /// Status of a job here. A final one never changes again.
    JobStatus {
        Waiting = "waiting",
        InProgress = "in_progress",
        Passed = "passed",
        Failed = "failed",
        Error = "error",
        Aborted = "aborted",
    }
}

words! {
    /// Status of one task (one scenario of one job), the same here and at the remote test server.
    TaskStatus {
        Waiting = "waiting",
        Running = "running",
        Passed = "passed",
        Failed = "failed",
        /// The infrastructure failed, not the test.
        Error = "error",
        Aborted = "aborted",
        Skipped = "skipped",
    }
}

words! {
    /// Status of a queue at the remote test server.
    QueueStatus {
        Waiting = "waiting",
        Running = "running",
        Finished = "finished",
        Aborted = "aborted",
        Error = "error",
    }
}

impl JobStatus {
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Waiting | Self::InProgress)
    }
}

impl TaskStatus {
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl QueueStatus {
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_parses_back_to_its_status() {
        for status in JobStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        for status in TaskStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        for status in QueueStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert_eq!("done".parse::<JobStatus>(), Err(crate::UnknownWord("done".into())));
    }

    #[test]
    fn only_the_first_two_words_are_not_final() {
        let open = |count: usize| (0..count).map(|i| i < 2).collect::<Vec<_>>();
        let jobs: Vec<bool> = JobStatus::ALL.iter().map(|s| !s.is_terminal()).collect();
        let tasks: Vec<bool> = TaskStatus::ALL.iter().map(|s| !s.is_terminal()).collect();
        let queues: Vec<bool> = QueueStatus::ALL.iter().map(|s| !s.is_terminal()).collect();
        assert_eq!((jobs, tasks, queues), (open(6), open(7), open(5)));
    }
}
