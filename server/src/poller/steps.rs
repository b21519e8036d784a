//! Carries out a job's steps at the remote server, one after the other, and saves what came of each.
//! Every step may be repeated after a crash: the remote server's calls are idempotent, and each save is conditional.

use super::health::{self, About};
use super::identity::{Whose, other_tasks, whose, whose_is_there};
use super::outcome::{After, capped, end_by_refusal, end_here, end_unsent, fail, queue_of, save, take_refusal};
use super::{Poller, ask, finish, removal};
use crate::lifecycle::{self, Heard, Step, next_step};
use crate::remote::{Answer, Reach, Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::{self, Job, Lane, OwnedJob};
use crate::store::tasks::{self, Task};
use protocol::remote::{QueueBody, QueueRequest, TaskRequest};
use protocol::{JobId, JobStatus, reason};

/// More steps than a job's whole life has: a bound, not a plan.
const MAX_STEPS: usize = 12;

/// Takes a job as far as it goes now in one lane; from there another lane's loop goes on, which finds it due.
pub(super) async fn advance<R: Remote>(poller: &Poller<R>, job: Job, lane: Lane) -> Result<(), StoreError> {
    let id = job.id;
    let mut current = Some(job);
    for _ in 0..MAX_STEPS {
        let Some(job) = current.take() else { return Ok(()) };
        if job.lane != lane {
            poller.lanes.wake(job.lane);
            return Ok(());
        }
        let now = poller.clock.now();
        // It has failed meanwhile, and has its own time to be tried again.
        if job.attempts > 0 && job.next_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        let step = next_step(&job, &poller.limits(), now);
        match take_step(poller, &job, step).await? {
            After::Again | After::Lost => {}
            After::Later | After::Failed => return Ok(()),
        }
        current = poller.store.read(move |c| jobs::find_job(c, id)).await?;
    }
    Ok(())
}

async fn take_step<R: Remote>(poller: &Poller<R>, job: &Job, step: Step) -> Result<After, StoreError> {
    if let Some(why) = given_up_while_away(poller, job).filter(|_| matches!(step, Step::Ask | Step::Submit)) {
        return give_up(poller, job, why, After::Later).await;
    }
    match step {
        Step::Submit => submit(poller, job).await,
        Step::Ask => ask::ask(poller, job, Heard::Asked).await,
        Step::Abort => abort(poller, job).await,
        // Before the next attempt to send it, so that it does not run after all when the server comes back.
        Step::GiveUpWaiting => give_up(poller, job, reason::WAITED_TOO_LONG, After::Again).await,
        Step::EndUnsent => end_unsent(poller, job).await,
        Step::Mirror => finish::finish(poller, job).await,
        Step::CleanUp => removal::clean_up(poller, job).await,
        Step::DeleteQueue => removal::delete_queue(poller, job).await,
        Step::Remove => removal::remove(poller, job).await,
        Step::Nothing => rest(poller, job).await,
    }
}

/// Why a job is to be aborted of whose server nothing is heard. Noted while that is away, so that it is done as soon as it
/// is back; should the queue have ended by itself, that wins.
pub(super) fn given_up_while_away<R: Remote>(poller: &Poller<R>, job: &Job) -> Option<&'static str> {
    let given_up = lifecycle::given_up_unseen(job, &poller.limits(), poller.clock.now());
    given_up.filter(|_| poller.breaker.is_open())
}

/// What was sent before and not clearly answered may have arrived: the server is asked before it is sent again.
async fn submit<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    if job.submit_attempted_at.is_none() {
        return send(poller, job).await;
    }
    let answer = poller.queue_status(queue_of(job), None).await;
    match answer {
        Ok(Some(answer)) => take_unless_anothers(poller, job, answer).await,
        Ok(None) => fail(poller, job, job.clone(), "it answered \"unchanged\" to a plain question", None).await,
        Err(RemoteError::Permanent(Refusal::UnknownId)) => {
            if lifecycle::waited_too_long(job, &poller.limits(), poller.clock.now()) {
                let why = Some(reason::WAITED_TOO_LONG.to_owned());
                return end_here(poller, job, job.clone(), JobStatus::Aborted, why).await;
            }
            send(poller, job).await
        }
        Err(error) => ask::take_failure(poller, job, error).await,
    }
}

async fn send<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let now = poller.clock.now();
    // Before the attempt, so that a crash after it is not taken for "never sent".
    let attempted =
        Job { submit_attempted_at: job.submit_attempted_at.or(Some(now)), last_sent_at: Some(now), ..job.clone() };
    if !save(poller, job, &attempted, Vec::new()).await? {
        return Ok(After::Lost);
    }
    let Some((sent, request)) = find_request(poller, job.id).await? else { return Ok(After::Later) };
    if sent.abort_requested_at.is_some() || sent.delete_requested_at.is_some() {
        // Not wanted any more, just in time: nobody has heard of it, so nothing has to wait for what may arrive late.
        let unsent =
            Job { submit_attempted_at: job.submit_attempted_at, last_sent_at: job.last_sent_at, ..sent.clone() };
        let saved = save(poller, &sent, &unsent, Vec::new()).await?;
        return Ok(After::Again.if_saved(saved));
    }
    let answer = poller.submit(&sent.instance, &request).await;
    let mut after = sent.clone();
    match answer {
        Ok(()) => {
            let now = poller.clock.now();
            lifecycle::mark_synced(&mut after, now);
            after.accepted_at = Some(now);
            after.next_at = Some(now);
            let saved = save(poller, &sent, &after, Vec::new()).await?;
            Ok(After::Again.if_saved(saved))
        }
        // Sent before, it may be our own queue that has the id.
        Err(RemoteError::Permanent(Refusal::IdTaken(words))) if job.submit_attempted_at.is_some() => {
            take_if_ours(poller, &sent, &request, Refusal::IdTaken(words)).await
        }
        Err(RemoteError::Permanent(refusal)) => end_by_refusal(poller, &sent, &refusal).await,
        Err(error @ RemoteError::Transient { .. }) => {
            if error.reach() == Reach::Unsent {
                // Nobody has heard of it.
                (after.submit_attempted_at, after.last_sent_at) = (job.submit_attempted_at, job.last_sent_at);
            }
            let RemoteError::Transient { message, retry_after } = error else { return Ok(After::Later) };
            fail(poller, &sent, after, message, retry_after).await
        }
    }
}

/// A queue is there under the id of a job that may have arrived: its own, unless it has other tasks.
async fn take_unless_anothers<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    answer: Answer<QueueBody>,
) -> Result<After, StoreError> {
    let Some((_, request)) = find_request(poller, job.id).await? else { return Ok(After::Later) };
    match whose(poller, job, &answer.body, &request).await {
        Ok(Whose::Anothers) => end_by_refusal(poller, job, &other_tasks()).await,
        Ok(Whose::Ours | Whose::OursPerhaps) => ask::take_status(poller, job, answer, Heard::Asked).await,
        Err(error) => ask::take_failure(poller, job, error).await,
    }
}

async fn take_if_ours<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    request: &QueueRequest,
    refusal: Refusal,
) -> Result<After, StoreError> {
    let answer = poller.queue_status(queue_of(job), None).await;
    let found = match answer {
        Ok(Some(answer)) => {
            let whose = whose(poller, job, &answer.body, request).await;
            whose.map(|whose| Some((whose, answer)))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    match found {
        Ok(Some((Whose::Ours, answer))) => ask::take_status(poller, job, answer, Heard::Asked).await,
        // Our own that has just arrived, as a rule: when it is asked again it is taken in.
        Ok(Some((Whose::OursPerhaps, _))) => {
            fail(poller, job, job.clone(), "a queue is there under its id that does not name its tasks yet", None).await
        }
        Ok(Some((Whose::Anothers, _)) | None) | Err(RemoteError::Permanent(_)) => {
            end_by_refusal(poller, job, &refusal).await
        }
        Err(error) => ask::take_failure(poller, job, error).await,
    }
}

/// It is to be aborted, and has not heard of it yet.
async fn give_up<R: Remote>(poller: &Poller<R>, job: &Job, why: &str, then: After) -> Result<After, StoreError> {
    let mut after = job.clone();
    jobs::want_abort(&mut after, why, poller.clock.now());
    let saved = save(poller, job, &after, Vec::new()).await?;
    Ok(then.if_saved(saved))
}

/// A job as it stands now, and as it is sent.
pub(super) async fn find_request<R: Remote>(
    poller: &Poller<R>,
    id: JobId,
) -> Result<Option<(Job, QueueRequest)>, StoreError> {
    let (found, rows) =
        poller.store.read(move |c| Ok((jobs::find_owned_job(c, id)?, tasks::find_tasks(c, id)?))).await?;
    Ok(found.map(|OwnedJob { job, username }| {
        let request = request_of(&job, &rows, username);
        (job, request)
    }))
}

fn request_of(job: &Job, tasks: &[Task], submitted_by: String) -> QueueRequest {
    let task = |task: &Task| TaskRequest { task_id: job.task_id(task.n), scenario: task.scenario.clone() };
    QueueRequest {
        queue_id: job.remote_queue_id.clone(),
        branch: job.branch_name.clone(),
        commit: job.commit_hash.clone(),
        submitted_by,
        // Rounded up: the limit that the server keeps must not be shorter than ours.
        timeout_s: u64::try_from(job.timeout_ms).unwrap_or(0).div_ceil(1_000).max(1),
        tasks: tasks.iter().map(task).collect(),
    }
}

async fn abort<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    if job.accepted_at.is_none() {
        // What is there may be another's, which is not ours to end.
        let Some((_, request)) = find_request(poller, job.id).await? else { return Ok(After::Later) };
        match whose_is_there(poller, job, &request).await {
            Ok(Some((Whose::Anothers, _))) => return end_by_refusal(poller, job, &other_tasks()).await,
            Ok(_) => {}
            Err(error) => return ask::take_failure(poller, job, error).await,
        }
    }
    let answer = poller.abort(queue_of(job)).await;
    let now = poller.clock.now();
    let mut sent = job.clone();
    lifecycle::note_abort_sent(&mut sent, now);
    match answer {
        Ok(Some(said)) => {
            health::trouble(poller, About::AbortPath, None);
            sent.abort_confirmed_at = job.abort_confirmed_at.or(Some(now));
            take_after_abort(poller, job, &sent, said).await
        }
        // It said yes in no words of the contract, so it has confirmed nothing.
        Ok(None) => {
            sent.next_at = Some(lifecycle::asks_after_abort(&sent, &poller.limits(), now));
            let saved = save(poller, job, &sent, Vec::new()).await?;
            Ok(After::Later.if_saved(saved))
        }
        Err(RemoteError::Permanent(Refusal::UnknownId)) if job.accepted_at.is_some() => {
            take_unknown_abort(poller, job, sent).await
        }
        Err(RemoteError::Permanent(refusal)) => take_refusal(poller, job, &refusal).await,
        Err(RemoteError::Transient { message, retry_after }) => {
            if message.reach() != Reach::Unsent
                && let Some(ended) = find_ended(poller, job).await
            {
                return take_unless_anothers(poller, job, ended).await;
            }
            fail(poller, job, job.clone(), message, capped(poller, retry_after)).await
        }
    }
}

/// An abort was answered as if there were no such queue, which the address of another server's calls says as well:
/// whether there is one, its status tells.
async fn take_unknown_abort<R: Remote>(poller: &Poller<R>, job: &Job, sent: Job) -> Result<After, StoreError> {
    let answer = poller.queue_status(queue_of(job), None).await;
    match answer {
        Ok(Some(answer)) => {
            let words = "it knows no queue that is to be aborted, and knows its status: is paths.abort right?";
            health::trouble(poller, About::AbortPath, Some(words.to_owned()));
            take_after_abort(poller, job, &sent, answer).await
        }
        Ok(None) => fail(poller, job, job.clone(), "it answered \"unchanged\" to a plain question", None).await,
        Err(error) => ask::take_failure(poller, job, error).await,
    }
}

/// Notes that an abort was sent, and takes in what the queue is like afterwards.
async fn take_after_abort<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    sent: &Job,
    answer: Answer<QueueBody>,
) -> Result<After, StoreError> {
    if !save(poller, job, sent, Vec::new()).await? {
        return Ok(After::Lost);
    }
    let id = job.id;
    let Some(saved) = poller.store.read(move |c| jobs::find_job(c, id)).await? else { return Ok(After::Later) };
    ask::take_status(poller, &saved, answer, Heard::Asked).await
}

/// A queue that has ended by itself needs no abort, whatever keeps the server from one.
async fn find_ended<R: Remote>(poller: &Poller<R>, job: &Job) -> Option<Answer<QueueBody>> {
    let answer = poller.queue_status(queue_of(job), None).await;
    answer.ok().flatten().filter(|answer| answer.body.status.is_terminal())
}

/// Nothing is to be done now: the job is due again when nothing can come late any more, or its queue's retention is over.
async fn rest<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let next_at = lifecycle::rests_until(job, &poller.limits());
    if next_at != job.next_at {
        let saved = save(poller, job, &Job { next_at, ..job.clone() }, Vec::new()).await?;
        return Ok(After::Later.if_saved(saved));
    }
    Ok(After::Later)
}
