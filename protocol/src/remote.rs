//! Bodies of the remote test server's API. Unknown fields are ignored on both sides; what the contract
//! marks optional is an `Option` or has a default, so that an older server is understood.

use crate::{QueueStatus, TaskStatus, Timestamp};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

/// What an optional field says, if it can be read: anything else counts as left out.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said<T> {
        Readable(T),
        Odd(IgnoredAny),
    }
    Ok(match Said::deserialize(deserializer)? {
        Said::Readable(value) => value,
        Said::Odd(_) => T::default(),
    })
}

/// The entries of a list that can be read; `None` where it is no list.
fn lenient_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry<T> {
        Readable(T),
        Odd(IgnoredAny),
    }
    let entries: Option<Vec<Entry<T>>> = lenient(deserializer)?;
    let readable = |entry| match entry {
        Entry::Readable(value) => Some(value),
        Entry::Odd(_) => None,
    };
    Ok(entries.map(|entries| entries.into_iter().filter_map(readable).collect()))
}

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
    #[serde(default, deserialize_with = "lenient")]
    pub position: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    pub created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient")]
    pub started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient")]
    pub finished_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient")]
    pub message: String,
    /// `None` from an older server: each task is then asked by itself.
    #[serde(default, deserialize_with = "lenient_list", skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<QueueTask>>,
}

/// A task within a queue's status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueTask {
    pub task_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub scenario: String,
    pub status: TaskStatus,
    #[serde(default, deserialize_with = "lenient")]
    pub progress: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    pub message: String,
    #[serde(default, deserialize_with = "lenient")]
    pub log_size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient")]
    pub finished_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient")]
    pub exit_code: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskBody {
    pub id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub queue_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub scenario: String,
    pub status: TaskStatus,
    #[serde(default, deserialize_with = "lenient")]
    pub progress: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    pub started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient")]
    pub finished_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient")]
    pub exit_code: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    pub message: String,
    #[serde(default, deserialize_with = "lenient")]
    pub log_size: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthBody {
    pub status: String,
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub slots: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    pub busy: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    pub waiting: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    pub features: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changes<Queue = StatusBody> {
    pub cursor: String,
    /// The cursor was not understood or missing: `queues` starts over with every unfinished one.
    #[serde(default, deserialize_with = "lenient")]
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
    #[serde(default, deserialize_with = "lenient")]
    pub content_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub code: String,
    #[serde(default, deserialize_with = "lenient")]
    pub message: String,
}
