//! From the store's rows to the contract's bodies, field by field.
//! A status carries an entity tag made of its text, so that nothing it shows can change unseen.

use super::extract::has_tag;
use crate::store::{QueueRow, QueueView, TaskRow};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::Timestamp;
use protocol::remote::{QueueBody, QueueTask, StatusBody, TaskBody};
use sha2::{Digest, Sha256};

impl From<QueueView> for StatusBody {
    fn from(view: QueueView) -> Self {
        let QueueView { queue, tasks, position } = view;
        let tasks = tasks.into_iter().map(|task| queue_task(&queue.queue_id, task)).collect();
        Self::Queue(QueueBody {
            status: queue.status.0,
            position,
            created_at: Some(Timestamp(queue.created_at)),
            started_at: queue.started_at.map(Timestamp),
            finished_at: queue.finished_at.map(Timestamp),
            message: queue.message,
            tasks: Some(tasks),
            id: queue.queue_id,
        })
    }
}

fn queue_task(queue_id: &str, task: TaskRow) -> QueueTask {
    QueueTask {
        task_id: format!("{queue_id}-{}", task.n),
        scenario: task.scenario,
        status: task.status.0,
        progress: task.progress,
        message: task.message,
        log_size: u64::try_from(task.log_size).ok(),
        started_at: task.started_at.map(Timestamp),
        finished_at: task.finished_at.map(Timestamp),
        exit_code: task.exit_code.map(i64::from),
    }
}

pub fn task_body(queue: QueueRow, task: TaskRow) -> StatusBody {
    StatusBody::Task(TaskBody {
        id: format!("{}-{}", queue.queue_id, task.n),
        queue_id: queue.queue_id,
        scenario: task.scenario,
        status: task.status.0,
        progress: task.progress,
        started_at: task.started_at.map(Timestamp),
        finished_at: task.finished_at.map(Timestamp),
        exit_code: task.exit_code.map(i64::from),
        message: task.message,
        log_size: u64::try_from(task.log_size).ok(),
    })
}

/// The body with its tag, or `304` where the client has it already.
pub fn tagged(headers: &HeaderMap, body: &StatusBody) -> Response {
    let text = match serde_json::to_vec(body) {
        Ok(text) => text,
        Err(error) => return super::Refused::from(std::io::Error::from(error)).into_response(),
    };
    let tag = format!("\"{}\"", hex(&Sha256::digest(&text)[..12]));
    let shared = [(ETAG, tag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if has_tag(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, shared).into_response();
    }
    (shared, [(CONTENT_TYPE, "application/json")], text).into_response()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
