//! Bodies of TestArena's own JSON API. Requests refuse unknown fields, so that a typo never passes silently;
//! answers are read leniently, so that an older client survives a newer server.

use crate::{JobId, JobStatus, TaskStatus, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

mod problem;

pub use problem::{ErrorCode, Problem};

/// A header of the page's own requests, so that a 401 does not open the browser's password dialog.
pub const PAGE_HEADER: &str = "testarena-page";
/// How old the facts of an answer are: the oldest `last_synced_at` in it.
pub const SYNCED_AT_HEADER: &str = "testarena-synced-at";
pub const SESSION_COOKIE: &str = "testarena_session";

/// Most scenarios that one job may have.
pub const MAX_SCENARIOS: usize = 1_000;
/// Most jobs on one page of the list, and how many without a wish.
pub const MAX_PAGE: u32 = 200;
pub const DEFAULT_PAGE: u32 = 50;
/// Most lines in one window of a log.
pub const MAX_LOG_LINES: u64 = 5_000;
/// Longest line in a window or a search, in bytes; what is longer is cut and ends in `…`.
pub const MAX_LINE_BYTES: usize = 16 * 1024;
/// Longest wait for a job to change.
pub const MAX_WAIT_S: u64 = 60;

// --- who is asking ---

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    pub username: String,
    pub password: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub is_admin: bool,
    pub must_change_password: bool,
    pub created_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
}

/// A job's owner. The name stays readable after the user was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRef {
    pub id: UserId,
    pub username: String,
}

// --- what can be run where ---

words! {
    /// Whether an environment's remote test server answers.
    Health {
        Ok = "ok",
        Degraded = "degraded",
        Unreachable = "unreachable",
        Unknown = "unknown",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environments {
    pub environments: Vec<Environment>,
}

/// `url`, `last_error` and `host_key` are left out for all but admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub health: Health,
    /// Since when the health is what it is.
    pub since: Option<Timestamp>,
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    pub last_error: Option<Option<String>>,
    pub slots: Option<u32>,
    pub busy: Option<u32>,
    pub waiting: Option<u32>,
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    pub host_key: Option<Option<String>>,
}

/// A field that is there with `null` is told, and one that is not there is kept back.
fn even_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branches {
    pub branches: Vec<Branch>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    pub name: String,
    pub commit: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateBranchRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    pub branch_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatedBranch {
    pub environment: String,
    pub branch_name: String,
    pub commit: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenarios {
    pub branch_name: String,
    pub commit: String,
    pub scenarios: Vec<String>,
    /// What is wrong with the branch's scenario files, for its author to read.
    pub problems: Vec<String>,
}

// --- jobs ---

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(deny_unknown_fields)]
pub struct RerunRequest {
    /// Only the tasks that failed, ended as error or were aborted.
    #[serde(default)]
    pub only_failed: bool,
    /// The branch's present commit instead of the one that ran.
    #[serde(default)]
    pub latest: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    #[serde(flatten)]
    pub summary: JobSummary,
    pub scenarios: Vec<String>,
    pub tasks: Vec<Task>,
}

/// A job without its tasks and scenarios, as it stands in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct Sync {
    pub state: SyncState,
    /// When the remote server last spoke about this job.
    pub last_synced_at: Option<Timestamp>,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    pub state: LogsState,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    pub state: CleanupState,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobList {
    pub jobs: Vec<JobSummary>,
    pub next_cursor: Option<String>,
}

// --- logs and results ---

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    /// Number of the first line in `lines`, from 1.
    pub first: u64,
    pub lines: Vec<String>,
    pub total: u64,
    pub bytes: u64,
    /// The task has ended and its log is wholly here.
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMatches {
    pub matches: Vec<LogMatch>,
    pub total: u64,
    pub next_from: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMatch {
    pub line: u64,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    pub files: Vec<ResultFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    pub path: String,
    pub size: u64,
    pub content_type: String,
}

/// Which field of the input is wrong, and how.
pub type FieldErrors = BTreeMap<String, String>;
