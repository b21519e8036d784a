//! Bodies of the remote test server's API. Unknown fields are ignored on both sides; what the contract
//! marks optional is an `Option` or has a default, so that an older server is understood.

use crate::{QueueStatus, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// Says which TestArena installation a request comes from.
pub const INSTANCE_HEADER: &str = "testarena-instance";
/// The feature word of `GET /api/changes` in [`HealthBody::features`].
pub const FEATURE_CHANGES: &str = "changes";
/// Most queues in one answer of the changes feed.
pub const MAX_CHANGES: usize = 500;
/// Longest wait of the changes feed, in seconds.
pub const MAX_CHANGES_WAIT_S: u64 = 30;

/// Codes of [`ErrorBody`] that TestArena acts upon.
pub mod code {
    pub const UNKNOWN_ID: &str = "unknown_id";
    pub const OTHER_INSTANCE: &str = "other_instance";
    pub const ID_TAKEN: &str = "id_taken";
    pub const GONE: &str = "gone";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRequest {
    pub queue_id: String,
    pub branch: String,
    pub commit: String,
    pub submitted_by: String,
    /// Limit of the whole queue from its start, in seconds.
    pub timeout_s: u64,
    pub tasks: Vec<TaskRequest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRequest {
    pub task_id: String,
    pub scenario: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueAccepted {
    pub queue_id: String,
    pub status: QueueStatus,
}

/// `GET /api/status/{id}` of a queue or of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StatusBody {
    Queue(QueueBody),
    Task(TaskBody),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueBody {
    pub id: String,
    pub status: QueueStatus,
    /// 1-based place in the waiting line, where known.
    #[serde(default)]
    pub position: Option<u32>,
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    #[serde(default)]
    pub message: String,
    /// `None` from an older server: each task is then asked by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<QueueTask>>,
}

/// A task within a queue's status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueTask {
    pub task_id: String,
    #[serde(default)]
    pub scenario: String,
    pub status: TaskStatus,
    #[serde(default)]
    pub progress: Option<f64>,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub log_size: Option<u64>,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    #[serde(default)]
    pub exit_code: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskBody {
    pub id: String,
    #[serde(default)]
    pub queue_id: String,
    #[serde(default)]
    pub scenario: String,
    pub status: TaskStatus,
    #[serde(default)]
    pub progress: Option<f64>,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    #[serde(default)]
    pub exit_code: Option<i64>,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub log_size: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthBody {
    pub status: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub slots: Option<u32>,
    #[serde(default)]
    pub busy: Option<u32>,
    #[serde(default)]
    pub waiting: Option<u32>,
    #[serde(default)]
    pub features: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changes<Queue = StatusBody> {
    pub cursor: String,
    /// The cursor was not understood or missing: `queues` starts over with every unfinished one.
    #[serde(default)]
    pub reset: bool,
    /// Each with its `kind`, like the status call's answer.
    pub queues: Vec<Queue>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResults {
    pub task_id: String,
    pub files: Vec<RemoteFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    /// Relative, with no empty, `.` or `..` segment.
    pub path: String,
    pub size: u64,
    #[serde(default)]
    pub content_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub code: String,
    #[serde(default)]
    pub message: String,
}
