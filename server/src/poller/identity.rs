//! Whose queue it is that a remote server has under a job's id: with another TestArena at work there, or one put back from
//! a backup, it may be another's.

use super::Poller;
use super::outcome::queue_of;
use crate::remote::{Refusal, Remote, RemoteError};
use crate::store::jobs::Job;
use protocol::QueueStatus;
use protocol::remote::{QueueBody, QueueRequest, QueueTask};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// It has the very tasks that were sent.
    Ours,
    /// It has no tasks but some of those, or none yet.
    OursPerhaps,
    Anothers,
}

/// Where the server lists no tasks with the queue, the first one has to tell.
pub(super) async fn whose<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    queue: &QueueBody,
    request: &QueueRequest,
) -> Result<Whose, RemoteError> {
    if let Some(tasks) = &queue.tasks {
        return Ok(compare(tasks, request));
    }
    let Some(first) = request.tasks.first() else { return Ok(Whose::Anothers) };
    match poller.task_status(queue_of(job), &first.task_id).await {
        Ok(answer) if answer.body.scenario.is_empty() || answer.body.scenario == first.scenario => Ok(Whose::Ours),
        Ok(_) => Ok(Whose::Anothers),
        // It knows the queue, and not yet its tasks.
        Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => Ok(Whose::OursPerhaps),
        Err(error) => Err(error),
    }
}

/// What stands under the id of a job that may have arrived, or may not; `None`: nothing that the server knows.
pub(super) async fn whose_is_there<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    request: &QueueRequest,
) -> Result<Option<(Whose, QueueStatus)>, RemoteError> {
    let answer = poller.queue_status(queue_of(job), None).await;
    match answer {
        Ok(Some(answer)) => Ok(Some((whose(poller, job, &answer.body, request).await?, answer.body.status))),
        Ok(None) => Err(RemoteError::transient("it answered \"unchanged\" to a plain question")),
        Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a job ends where another's queue has its id.
pub(super) fn other_tasks() -> Refusal {
    Refusal::IdTaken("a queue with other tasks is there under it".to_owned())
}

fn compare(tasks: &[QueueTask], request: &QueueRequest) -> Whose {
    let sent = || request.tasks.iter().map(|task| (task.task_id.as_str(), task.scenario.as_str()));
    if tasks.iter().map(|task| (task.task_id.as_str(), task.scenario.as_str())).eq(sent()) {
        return Whose::Ours;
    }
    let scenarios: HashMap<&str, &str> = sent().collect();
    let was_sent = |task: &QueueTask| {
        let scenario = scenarios.get(task.task_id.as_str());
        scenario.is_some_and(|sent| task.scenario.is_empty() || task.scenario == *sent)
    };
    if tasks.iter().all(was_sent) { Whose::OursPerhaps } else { Whose::Anothers }
}
