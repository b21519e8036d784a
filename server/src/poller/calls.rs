//! The calls about jobs at an environment's server. What comes of each is noted for the breaker and for the environment's
//! health, so none goes past here but those whose outcome is to tell nothing of the server.

use super::Poller;
use super::health::{About, note, note_files};
use crate::logs::Part;
use crate::remote::{Answer, ChangedQueue, LogPiece, QueueRef, Reach, Remote, RemoteError};
use protocol::remote::{Changes, QueueBody, QueueRequest, RemoteFile, TaskBody};
use std::time::Duration;

impl<R: Remote> Poller<R> {
    pub(super) async fn submit(&self, instance: &str, request: &QueueRequest) -> Result<(), RemoteError> {
        let answer = self.remote.submit(instance, request).await;
        note(self, About::Submission, &answer);
        answer
    }

    pub(super) async fn queue_status(
        &self,
        queue: QueueRef<'_>,
        etag: Option<&str>,
    ) -> Result<Option<Answer<QueueBody>>, RemoteError> {
        let answer = self.remote.queue_status(queue, etag).await;
        note(self, About::Status, &answer);
        answer
    }

    pub(super) async fn task_status(
        &self,
        queue: QueueRef<'_>,
        task_id: &str,
    ) -> Result<Answer<TaskBody>, RemoteError> {
        let answer = self.remote.task_status(queue, task_id).await;
        note(self, About::TaskStatus, &answer);
        answer
    }

    pub(super) async fn abort(&self, queue: QueueRef<'_>) -> Result<Option<Answer<QueueBody>>, RemoteError> {
        let answer = self.remote.abort(queue).await;
        note(self, About::Abort, &answer);
        answer
    }

    pub(super) async fn delete(&self, queue: QueueRef<'_>) -> Result<(), RemoteError> {
        let answer = self.remote.delete(queue).await;
        note(self, About::Deletion, &answer);
        answer
    }

    pub(super) async fn changes(
        &self,
        cursor: Option<&str>,
        wait: Duration,
    ) -> Result<Answer<Changes<ChangedQueue>>, RemoteError> {
        let answer = self.remote.changes(&self.instance, cursor, wait).await;
        // A proxy may hold back this call alone, of which the other calls know nothing: without an answer it says nothing of
        // the server.
        if answer.as_ref().err().is_none_or(|error| error.reach() == Reach::Answered) {
            note(self, About::Changes, &answer);
        }
        answer
    }

    pub(super) async fn log_piece(
        &self,
        queue: QueueRef<'_>,
        log_id: &str,
        from: u64,
    ) -> Result<Option<LogPiece>, RemoteError> {
        let answer = self.remote.log_piece(queue, log_id, from).await;
        note_files(self, About::Log, &answer);
        answer
    }

    pub(super) async fn results(
        &self,
        queue: QueueRef<'_>,
        task_id: &str,
    ) -> Result<Option<Vec<RemoteFile>>, RemoteError> {
        let answer = self.remote.results(queue, task_id).await;
        note_files(self, About::Results, &answer);
        answer
    }

    pub(super) async fn fetch_result(
        &self,
        queue: QueueRef<'_>,
        task_id: &str,
        listed: &RemoteFile,
        part: &mut Part,
    ) -> Result<bool, RemoteError> {
        let answer = self.remote.fetch_result(queue, task_id, listed, part).await;
        note_files(self, About::ResultFile, &answer);
        answer
    }
}
