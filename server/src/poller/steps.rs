//! Carries out a job's steps at the remote server, one after the other, and saves what came of each.
//! Every step may be repeated after a crash: the remote server's calls are idempotent, and each save is conditional.

use super::outcome::{After, end_by_refusal, end_here, end_unsent, fail, queue_of, save, take_refusal, tombstone_of};
use super::{Poller, ask, finish, health};
use crate::lifecycle::{self, Heard, Step, next_step};
use crate::remote::{Reach, Refusal, Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::{self, Job, Lane};
use crate::store::tasks::{self, Task};
use crate::store::tombstones::{Wanted, insert_tombstone};
use protocol::api::CleanupState;
use protocol::remote::{QueueBody, QueueRequest, TaskRequest};
use protocol::{JobStatus, reason};

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
        current = poller.store.read(move |c| jobs::find_job(c, id)).await?.map(|(job, _)| job);
    }
    Ok(())
}

async fn take_step<R: Remote>(poller: &Poller<R>, job: &Job, step: Step) -> Result<After, StoreError> {
    match step {
        Step::Submit => submit(poller, job).await,
        Step::Ask if poller.breaker.is_open() && is_given_up_unseen(poller, job) => give_up_running(poller, job).await,
        Step::Ask => ask::ask(poller, job, Heard::Asked).await,
        Step::Abort => abort(poller, job).await,
        Step::GiveUpWaiting => give_up_waiting(poller, job).await,
        Step::EndUnsent => end_unsent(poller, job).await,
        Step::Mirror => finish::finish(poller, job, poller.clock.now()).await,
        Step::CleanUp => clean_up(poller, job).await,
        Step::DeleteQueue => delete_queue(poller, job).await,
        Step::Remove => remove(poller, job).await,
        Step::Nothing => rest(poller, job).await,
    }
}

/// Whether a job of a server that is away has run past its limit by all that we know.
pub(super) fn is_given_up_unseen<R: Remote>(poller: &Poller<R>, job: &Job) -> bool {
    lifecycle::runs_too_long_unseen(job, poller.clock.now())
}

/// Noted while the server is away, so that it is aborted as soon as it is back; should it have ended by itself, that wins.
async fn give_up_running<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let mut after = job.clone();
    jobs::want_abort(&mut after, reason::TIMEOUT, poller.clock.now());
    let saved = save(poller, job, &after, Vec::new()).await?;
    Ok(After::Later.if_saved(saved))
}

/// What was sent before and not clearly answered may have arrived: the server is asked before it is sent again.
async fn submit<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    if job.submit_attempted_at.is_none() {
        return send(poller, job).await;
    }
    let answer = poller.remote.queue_status(queue_of(job), None).await;
    health::note(poller, "status", &answer);
    match answer {
        Ok(Some(answer)) => ask::take_status(poller, job, answer, Heard::Asked).await,
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
    let id = job.id;
    let found = poller.store.read(move |c| Ok((jobs::find_job(c, id)?, tasks::find_tasks(c, id)?))).await?;
    let (Some((sent, owner)), rows) = found else { return Ok(After::Later) };
    if sent.abort_requested_at.is_some() || sent.delete_requested_at.is_some() {
        return Ok(After::Lost);
    }
    let request = request_of(&sent, &rows, owner);
    let answer = poller.remote.submit(&sent.instance, &request).await;
    health::note(poller, "submission", &answer);
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

async fn take_if_ours<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    request: &QueueRequest,
    refusal: Refusal,
) -> Result<After, StoreError> {
    let answer = poller.remote.queue_status(queue_of(job), None).await;
    health::note(poller, "status", &answer);
    match answer {
        Ok(Some(answer)) if is_of_request(&answer.body, request) => {
            ask::take_status(poller, job, answer, Heard::Asked).await
        }
        Ok(_) | Err(RemoteError::Permanent(_)) => end_by_refusal(poller, job, &refusal).await,
        Err(error) => ask::take_failure(poller, job, error).await,
    }
}

/// Whether a queue has the tasks that were sent. A server that does not list them can't be told apart from another's.
fn is_of_request(queue: &QueueBody, request: &QueueRequest) -> bool {
    queue.tasks.as_ref().is_some_and(|tasks| {
        let sent = request.tasks.iter().map(|task| (&task.task_id, &task.scenario));
        tasks.iter().map(|task| (&task.task_id, &task.scenario)).eq(sent)
    })
}

/// Before the next attempt to send it, so that it does not run after all when the server comes back.
async fn give_up_waiting<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let mut after = job.clone();
    jobs::want_abort(&mut after, reason::WAITED_TOO_LONG, poller.clock.now());
    let saved = save(poller, job, &after, Vec::new()).await?;
    Ok(After::Again.if_saved(saved))
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
    let answer = poller.remote.abort(queue_of(job)).await;
    health::note(poller, "abort", &answer);
    let now = poller.clock.now();
    let mut sent = job.clone();
    lifecycle::note_abort_sent(&mut sent, now);
    match answer {
        Ok(Some(said)) => {
            sent.abort_confirmed_at = job.abort_confirmed_at.or(Some(now));
            if !save(poller, job, &sent, Vec::new()).await? {
                return Ok(After::Lost);
            }
            let id = job.id;
            let found = poller.store.read(move |c| jobs::find_job(c, id)).await?;
            let Some((sent, _)) = found else { return Ok(After::Later) };
            ask::take_status(poller, &sent, said, Heard::Asked).await
        }
        // It said yes in no words of the contract, so it has confirmed nothing.
        Ok(None) => {
            sent.next_at = Some(lifecycle::asks_after_abort(&sent, &poller.limits(), now));
            let saved = save(poller, job, &sent, Vec::new()).await?;
            Ok(After::Later.if_saved(saved))
        }
        Err(RemoteError::Permanent(refusal)) => take_refusal(poller, job, &refusal).await,
        Err(RemoteError::Transient { message, retry_after }) => {
            fail(poller, job, job.clone(), message, retry_after).await
        }
    }
}

async fn clean_up<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let cleaned = poller.remote.clean_up(&job.remote_queue_id).await;
    let (is_deletion, limits, now) = (job.delete_requested_at.is_some(), poller.limits(), poller.clock.now());
    let since = job.cleanup_since.unwrap_or(now);
    let mut after = Job { cleanup_since: Some(since), ..job.clone() };
    match cleaned {
        Ok(()) => {
            after.cleanup_state = CleanupState::Done;
            after.cleanup_error = None;
            after.cleaned_at = Some(now);
            after.attempts = 0;
            after.next_at = if is_deletion { Some(now) } else { lifecycle::remote_deletion_due_at(&after, &limits) };
        }
        Err(error) => {
            after.cleanup_error = Some(error.to_string());
            lifecycle::postpone(&mut after, &limits, None, poller.chance.jitter(), now);
            // A deletion waits for as long as it takes; an admin may force it.
            if lifecycle::gives_up_cleaning(&after, &limits, now) && !is_deletion {
                tracing::error!(
                    job = job.id.0,
                    error = error.private(),
                    "job {}: gave up cleaning its workspace",
                    job.id
                );
                after.cleanup_state = CleanupState::Failed;
                after.attempts = 0;
                after.next_at = lifecycle::remote_deletion_due_at(&after, &limits);
            }
        }
    }
    let saved = save(poller, job, &after, Vec::new()).await?;
    let done = if is_deletion && after.cleaned_at.is_some() { After::Again } else { After::Later };
    Ok(done.if_saved(saved))
}

async fn delete_queue<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let deleted = delete_and_look(poller, job).await;
    let now = poller.clock.now();
    let mut after = job.clone();
    match deleted {
        Ok(()) => {
            lifecycle::mark_synced(&mut after, now);
            // The words of a job that has ended stay.
            after.sync_error.clone_from(&job.sync_error);
        }
        Err(RemoteError::Permanent(refusal)) => {
            // Not ours: nothing there is deleted or cleaned for it.
            after.sync_error = Some(refusal.to_string());
            after.cleaned_at = Some(after.cleaned_at.unwrap_or(now));
        }
        Err(RemoteError::Transient { message, retry_after }) if job.delete_requested_at.is_some() => {
            return fail(poller, job, after, message, retry_after).await;
        }
        Err(RemoteError::Transient { message, retry_after }) => {
            // Nobody waits for it, and the job's own words say why it ended.
            tracing::warn!(job = job.id.0, error = message.private(), "job {}: its queue is not deleted yet", job.id);
            lifecycle::postpone(&mut after, &poller.limits(), retry_after, poller.chance.jitter(), now);
            let saved = save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Failed.if_saved(saved));
        }
    }
    after.attempts = 0;
    after.remote_deleted_at = Some(now);
    if lifecycle::late_arrival_over_at(job).is_some() {
        // Whatever arrives late makes its workspace anew, so that its tombstone removes it, at the end.
        after.cleaned_at = Some(after.cleaned_at.unwrap_or(now));
    }
    let goes_on = job.delete_requested_at.is_some() || after.cleanup_state == CleanupState::Pending;
    after.next_at = goes_on.then_some(now);
    let saved = save(poller, job, &after, Vec::new()).await?;
    Ok(if goes_on { After::Again } else { After::Later }.if_saved(saved))
}

/// A queue that is still there after its deletion was confirmed is not gone, and one that can't be asked about may be there.
async fn delete_and_look<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<(), RemoteError> {
    let deleted = poller.remote.delete(queue_of(job)).await;
    health::note(poller, "deletion", &deleted);
    match deleted {
        Ok(()) | Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => {}
        Err(error) => return Err(error),
    }
    let status = poller.remote.queue_status(queue_of(job), None).await;
    health::note(poller, "status", &status);
    match status {
        Ok(_) => {
            Err(RemoteError::transient("the remote server still knows the job that it has deleted; it is asked again"))
        }
        Err(RemoteError::Permanent(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Files first: a row without files can be removed again, files without a row would stay for ever.
async fn remove<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    if let Err(error) = poller.logs.remove_job(job.id).await {
        tracing::error!(job = job.id.0, %error, "job {}: its files could not be removed", job.id);
        let message = format!("its files here can't be removed: {error}; see data_dir");
        return fail(poller, job, job.clone(), message, None).await;
    }
    let (id, now) = (job.id, poller.clock.now());
    let tombstone = jobs::has_own_queue(job).then(|| tombstone_of(job, Wanted::Delete, now)).flatten();
    let removed = poller.write(move |c| {
        if jobs::remove_job(c, id)?
            && let Some(tombstone) = tombstone
        {
            insert_tombstone(c, tombstone, now)?;
        }
        Ok(())
    });
    removed.await?;
    tracing::info!(job = job.id.0, "job {} deleted", job.id);
    poller.bell.ring_saved();
    Ok(After::Later)
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
