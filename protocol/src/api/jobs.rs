//! Jobs: what is asked for, and what is known of each and of its tasks.
//! In a list a job stands without its tasks and scenarios.

use super::{Estimate, LastPassed, UserRef, or_no};
use crate::{JobId, JobStatus, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitJobRequest {
    /// May be left out when exactly one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    pub branch_name: String,
    pub scenarios: Vec<String>,
    /// Seconds, 1 to the environment's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RerunRequest {
    /// Only the tasks that failed, ended as error or were aborted.
    #[serde(default, deserialize_with = "or_no")]
    #[cfg_attr(feature = "openapi", schemars(with = "Option<bool>"))]
    pub only_failed: bool,
    /// The branch's present commit instead of the one that ran.
    #[serde(default, deserialize_with = "or_no")]
    #[cfg_attr(feature = "openapi", schemars(with = "Option<bool>"))]
    pub latest: bool,
}

/// A job with its scenarios and tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Job {
    #[serde(flatten)]
    pub summary: JobSummary,
    pub scenarios: Vec<String>,
    pub tasks: Vec<Task>,
}

/// A job without its tasks and scenarios, as it stands in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JobSummary {
    pub id: JobId,
    pub user: UserRef,
    pub environment: String,
    pub branch_name: String,
    pub commit: String,
    pub status: JobStatus,
    pub status_reason: Option<String>,
    pub remote_queue_id: String,
    pub rerun_of: Option<JobId>,
    /// 1-based place in the remote server's waiting line, where it says so.
    pub position: Option<u32>,
    pub counts: TaskCounts,
    pub sync: Sync,
    pub abort_requested: bool,
    pub delete_requested: bool,
    pub logs: Logs,
    pub cleanup: Cleanup,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub timeout_s: u64,
    #[serde(default)]
    pub estimate: Estimate,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Task {
    pub task_id: String,
    pub scenario: String,
    pub status: TaskStatus,
    /// 0.0 to 1.0 where the scenario tells.
    pub progress: Option<f64>,
    pub message: String,
    pub exit_code: Option<i64>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub duration_ms: Option<i64>,
    /// Bytes of the log that are here.
    pub log_size: u64,
    /// Where it had passed last, once the job has ended and if it did not pass in it.
    #[serde(default)]
    pub last_passed: Option<LastPassed>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TaskCounts {
    pub total: u32,
    pub waiting: u32,
    pub running: u32,
    pub passed: u32,
    pub failed: u32,
    pub error: u32,
    pub aborted: u32,
    pub skipped: u32,
}

impl TaskCounts {
    pub fn of(statuses: impl IntoIterator<Item = TaskStatus>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            counts.total += 1;
            *counts.slot(status) += 1;
        }
        counts
    }

    pub const fn of_status(&self, status: TaskStatus) -> u32 {
        match status {
            TaskStatus::Waiting => self.waiting,
            TaskStatus::Running => self.running,
            TaskStatus::Passed => self.passed,
            TaskStatus::Failed => self.failed,
            TaskStatus::Error => self.error,
            TaskStatus::Aborted => self.aborted,
            TaskStatus::Skipped => self.skipped,
        }
    }

    fn slot(&mut self, status: TaskStatus) -> &mut u32 {
        match status {
            TaskStatus::Waiting => &mut self.waiting,
            TaskStatus::Running => &mut self.running,
            TaskStatus::Passed => &mut self.passed,
            TaskStatus::Failed => &mut self.failed,
            TaskStatus::Error => &mut self.error,
            TaskStatus::Aborted => &mut self.aborted,
            TaskStatus::Skipped => &mut self.skipped,
        }
    }

    /// Tasks that have ended, however.
    pub const fn ended(&self) -> u32 {
        self.total - self.waiting - self.running
    }
}

words! {
    /// Whether the remote server and we agree about a job.
    SyncState {
        /// Not yet accepted there.
        Pending = "pending",
        Synced = "synced",
        Failing = "failing",
    }
}

words! {
    LogsState {
        Mirroring = "mirroring",
        Complete = "complete",
        Incomplete = "incomplete",
    }
}

words! {
    /// Of the workspace at the remote server.
    CleanupState {
        /// The job has not ended, or has nothing of its own to clean.
        None = "none",
        Pending = "pending",
        Done = "done",
        Failed = "failed",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Sync {
    pub state: SyncState,
    /// When the remote server last spoke about this job.
    pub last_synced_at: Option<Timestamp>,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Logs {
    pub state: LogsState,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Cleanup {
    pub state: CleanupState,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JobList {
    pub jobs: Vec<JobSummary>,
    pub next_cursor: Option<String>,
}
