//! Whose queue it is that a remote server has under a job's id: with another TestArena at work there, or one put back from
//! a backup, it may be another's.

use super::Poller;
use super::outcome::queue_of;
use crate::remote::{Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::{self, Job};
use protocol::remote::{QueueBody, QueueRequest, QueueTask};
use protocol::{JobId, QueueStatus};
use std::collections::HashMap;

/// Of the largest id.
const MOST_DIGITS: usize = 19;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// It has the very tasks that were sent.
    Ours,
    /// It has no tasks but some of those, or none yet.
    OursPerhaps,
    Anothers,
}

/// Whose queue it is of an instance's jobs.
pub(super) async fn find_job_of<R: Remote>(
    poller: &Poller<R>,
    instance: &str,
    queue_id: &str,
) -> Result<Option<Job>, StoreError> {
    let is_of_queue =
        |job: &Job| job.remote_queue_id == queue_id && job.environment == poller.name() && job.instance == instance;
    let number = queue_id.strip_prefix(&poller.environment.queue_id_prefix).and_then(|id| id.parse::<JobId>().ok());
    if let Some(id) = number
        && let Some(job) = poller.store.read(move |c| jobs::find_job(c, id)).await?.filter(is_of_queue)
    {
        return Ok(Some(job));
    }
    // A job keeps the prefix under which it was made, whatever is set since.
    let ids = ids_at_the_end(queue_id);
    if ids.is_empty() {
        return Ok(None);
    }
    let found = poller.store.read(move |c| jobs::find_jobs(c, &ids)).await?;
    Ok(found.into_iter().find(is_of_queue))
}

/// Which jobs' a queue may be by the end of its id. The prefix before that may end in digits itself.
fn ids_at_the_end(queue_id: &str) -> Vec<JobId> {
    let digits = queue_id.bytes().rev().take(MOST_DIGITS).take_while(u8::is_ascii_digit).count();
    let ends = (queue_id.len() - digits..queue_id.len()).map(|at| &queue_id[at..]);
    ends.filter(|end| !end.starts_with('0')).filter_map(|end| end.parse().ok()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_may_be_any_job_by_whose_number_its_id_ends() {
        let ids = |queue_id| ids_at_the_end(queue_id).iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(ids("42"), [42, 2]);
        assert_eq!(ids("lab2.107"), [107, 7]);
        assert_eq!(ids("lab2x"), [0_i64; 0]);
        assert_eq!(ids(&"9".repeat(300)).len(), 18, "a number that no job has is none");
    }
}
