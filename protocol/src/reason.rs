//! Words of a job's `status_reason`: why it ended as it did.

pub const TIMEOUT: &str = "timeout";
pub const WAITED_TOO_LONG: &str = "waited_too_long";
pub const ABORTED_REMOTELY: &str = "aborted_remotely";
pub const REJECTED: &str = "rejected";
pub const ID_TAKEN: &str = "id_taken";
pub const OTHER_INSTANCE: &str = "other_instance";
pub const LOST: &str = "lost";
pub const REMOTE_ERROR: &str = "remote_error";
pub const FORCED: &str = "forced";
pub const TASKS_ERRORED: &str = "tasks_errored";

/// A wanted abort's reason names who wanted it.
pub fn aborted_by(username: &str) -> String {
    format!("aborted_by:{username}")
}
