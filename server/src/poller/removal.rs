//! What takes a job's traces away: its workspace, its queue at the remote server, and at last its rows and files here.

use super::Poller;
use super::identity::{Whose, other_tasks, whose_is_there};
use super::outcome::{After, capped, fail, queue_of, save, save_with};
use super::steps::find_request;
use crate::lifecycle;
use crate::remote::{Refusal, Remote, RemoteError};
use crate::store::audit::{AuditEntry, insert_audit_entry};
use crate::store::jobs::Job;
use crate::store::tombstones::{self, Wanted};
use crate::store::{AnyConnection, StoreError};
use crate::wishes;
use protocol::Timestamp;
use protocol::api::{AuditAction, CleanupState, Via};
use protocol::remote::QueueRequest;
use serde_json::json;
use std::time::Duration;

/// Between two looks whether the tombstone of a queue that was never seen has had its last one.
const LAST_LOOK_INTERVAL: Duration = Duration::from_mins(1);

pub(super) async fn clean_up<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    if job.accepted_at.is_none() {
        match find_workspace(poller, job).await? {
            Workspace::Ours => {}
            Workspace::Anothers => return leave_to_another(poller, job).await,
            Workspace::Unsure { error, pause } => {
                // No attempt at cleaning, of which only so many are made. What was in the way of the last one still is.
                let next_at = Some(poller.clock.now().plus(pause));
                let cleanup_error = error.or_else(|| job.cleanup_error.clone());
                let later = Job { cleanup_error, next_at, ..job.clone() };
                let saved = save(poller, job, &later, Vec::new()).await?;
                return Ok(After::Later.if_saved(saved));
            }
        }
    }
    let cleaned = poller.remote.clean_up(&job.remote_queue_id).await;
    let (is_deletion, limits, now) = (job.delete_requested_at.is_some(), poller.limits(), poller.clock.now());
    // A deletion has all the time again that there is for it.
    let is_of_this = |since: &Timestamp| job.delete_requested_at.is_none_or(|wanted| wanted <= *since);
    let since = job.cleanup_since.filter(is_of_this).unwrap_or(now);
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
            if lifecycle::gives_up_cleaning(&after, &limits, now) {
                let error = error.private();
                tracing::error!(job = job.id.0, error, "job {}: gave up cleaning its workspace", job.id);
                after.cleanup_state = CleanupState::Failed;
                after.attempts = 0;
                after.next_at = lifecycle::remote_deletion_due_at(&after, &limits);
                if is_deletion {
                    // The job goes, and the audit log says what it leaves.
                    (after.cleaned_at, after.next_at) = (Some(now), Some(now));
                }
            }
        }
    }
    let saved = save(poller, job, &after, Vec::new()).await?;
    let done = if is_deletion && after.cleaned_at.is_some() { After::Again } else { After::Later };
    Ok(done.if_saved(saved))
}

/// Whose the workspace is under the id of a job whose queue was never seen.
enum Workspace {
    Ours,
    Anothers,
    /// Nothing is removed before the server has said that there is no such queue: one that came late may run. With what is
    /// in the way, if that is worth telling, and when to look again.
    Unsure {
        error: Option<String>,
        pause: Duration,
    },
}

async fn find_workspace<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<Workspace, StoreError> {
    let unsure = |error| Workspace::Unsure { error, pause: LAST_LOOK_INTERVAL };
    if poller.breaker.is_open() {
        // The server's return ends no pause over SSH, so it is no longer than others.
        return Ok(Workspace::Unsure {
            error: None,
            pause: LAST_LOOK_INTERVAL.max(poller.environment.retry_max_interval),
        });
    }
    if is_looked_for(poller, job).await? {
        return Ok(unsure(None));
    }
    let Some((_, request)) = find_request(poller, job.id).await? else { return Ok(unsure(None)) };
    Ok(match whose_is_there(poller, job, &request).await {
        Ok(None) => Workspace::Ours,
        Ok(Some((Whose::Anothers, _))) | Err(RemoteError::Permanent(_)) => Workspace::Anothers,
        Ok(Some((_, status))) if status.is_terminal() => Workspace::Ours,
        Ok(Some((whose, _))) => {
            if whose == Whose::Ours {
                drop(poller.abort(queue_of(job)).await);
            }
            unsure(Some("its queue has come late to the remote server, and is ended first".to_owned()))
        }
        Err(RemoteError::Transient { message, retry_after }) => {
            let pause = LAST_LOOK_INTERVAL.max(capped(poller, retry_after).unwrap_or_default());
            Workspace::Unsure { error: Some(message.to_string()), pause }
        }
    })
}

/// Nothing of this job is there, and nothing there is deleted or cleaned for it.
async fn leave_to_another<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let now = poller.clock.now();
    let mut after = job.clone();
    after.remote_deleted_at = Some(after.remote_deleted_at.unwrap_or(now));
    after.cleaned_at = Some(after.cleaned_at.unwrap_or(now));
    if after.cleanup_state == CleanupState::Pending {
        after.cleanup_state = CleanupState::None;
    }
    (after.cleanup_error, after.attempts) = (None, 0);
    // Nor is anything looked for that is left when the job is gone. One that it had accepted may be hidden from us for a
    // moment only, behind another server.
    let was_never_there = job.accepted_at.is_none();
    if was_never_there {
        (after.last_sent_at, after.unknown_since) = (None, None);
    }
    let goes_on = job.delete_requested_at.is_some();
    after.next_at = goes_on.then_some(now);
    let queue = (job.environment.clone(), job.instance.clone(), job.remote_queue_id.clone());
    let forget = move |c: &mut AnyConnection| {
        let (environment, instance, queue_id) = &queue;
        if was_never_there { tombstones::forget_queue(c, environment, instance, queue_id) } else { Ok(()) }
    };
    let saved = save_with(poller, job, &after, Vec::new(), forget).await?;
    Ok(if goes_on { After::Again } else { After::Later }.if_saved(saved))
}

async fn is_looked_for<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<bool, StoreError> {
    let (name, queue_id) = (poller.name().to_owned(), job.remote_queue_id.clone());
    poller.store.read(move |c| tombstones::is_looked_for(c, &name, &queue_id)).await
}

pub(super) async fn delete_queue<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let Some((_, request)) = find_request(poller, job.id).await? else { return Ok(After::Later) };
    let deleted = delete_and_look(poller, job, &request).await;
    let (is_deletion, now) = (job.delete_requested_at.is_some(), poller.clock.now());
    let mut after = job.clone();
    let word = match deleted {
        Ok(word) => word,
        Err(RemoteError::Permanent(refusal)) => {
            tracing::info!(job = job.id.0, "job {}: nothing is deleted for it: {refusal}", job.id);
            return leave_to_another(poller, job).await;
        }
        Err(RemoteError::Transient { message, retry_after }) if is_deletion => {
            return fail(poller, job, after, message, capped(poller, retry_after)).await;
        }
        Err(RemoteError::Transient { message, retry_after }) => {
            // Nobody waits for it, and the job's own words say why it ended.
            tracing::warn!(job = job.id.0, error = message.private(), "job {}: its queue is not deleted yet", job.id);
            lifecycle::postpone(&mut after, &poller.limits(), retry_after, poller.chance.jitter(), now);
            let saved = save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Failed.if_saved(saved));
        }
    };
    lifecycle::mark_synced(&mut after, now);
    after.unknown_since = (word == LastWord::Unknown).then_some(now);
    after.attempts = 0;
    after.remote_deleted_at = Some(now);
    // What ran there, and was not seen to end, may run on where the server lacks its store: a tombstone cleans it, once
    // that is sure.
    let may_run_unseen = is_deletion && job.may_still_run() && word == LastWord::Unknown;
    let tombstone = may_run_unseen.then(|| {
        let over_at = lifecycle::surely_over_at(job, job.ended_here_at.unwrap_or(now));
        let look_until = lifecycle::may_arrive_until(job).map_or(over_at, |until| until.max(over_at));
        (after.unknown_since, after.last_sent_at) = (None, None);
        wishes::tombstone_until(job, Wanted::Delete, look_until)
    });
    let may_come_again = is_deletion && lifecycle::may_arrive_until(job).is_some_and(|until| until > now);
    if may_run_unseen || may_come_again || lifecycle::late_arrival_over_at(job).is_some() {
        // Whatever arrives late makes its workspace anew, so that its tombstone removes it, at the end.
        after.cleaned_at = Some(after.cleaned_at.unwrap_or(now));
    }
    let goes_on = is_deletion || after.cleanup_state == CleanupState::Pending;
    after.next_at = goes_on.then_some(now);
    let leave = move |c: &mut AnyConnection| {
        tombstone.map_or(Ok(()), |tombstone| tombstones::insert_tombstone(c, tombstone, now))
    };
    let saved = save_with(poller, job, &after, Vec::new(), leave).await?;
    Ok(if goes_on { After::Again } else { After::Later }.if_saved(saved))
}

/// What a server says of a queue that it has deleted.
#[derive(PartialEq, Eq)]
enum LastWord {
    /// That there is none of ours.
    Gone,
    /// That it does not know it, as one says as well whose store is not there for a moment. Nobody waits until that is
    /// sure: the job's tombstone looks again.
    Unknown,
}

/// A queue that is still there after its deletion was confirmed is not gone, and one that can't be asked about may be there.
async fn delete_and_look<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    request: &QueueRequest,
) -> Result<LastWord, RemoteError> {
    if job.accepted_at.is_none()
        && let Some((Whose::Anothers, _)) = whose_is_there(poller, job, request).await?
    {
        return Err(RemoteError::Permanent(other_tasks()));
    }
    end_unseen(poller, job).await?;
    let deleted = poller.delete(queue_of(job)).await;
    match deleted {
        Ok(()) | Err(RemoteError::Permanent(Refusal::UnknownId | Refusal::Gone)) => {}
        Err(error) => return Err(error),
    }
    let status = poller.queue_status(queue_of(job), None).await;
    match status {
        Ok(_) => {
            Err(RemoteError::transient("the remote server still knows the job that it has deleted; it is asked again"))
        }
        Err(RemoteError::Permanent(Refusal::UnknownId)) => Ok(LastWord::Unknown),
        Err(RemoteError::Permanent(_)) => Ok(LastWord::Gone),
        Err(error) => Err(error),
    }
}

/// A queue that arrives after its job was ended here runs, and one that was lost may: it is aborted before it is deleted.
async fn end_unseen<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<(), RemoteError> {
    let may_arrive = lifecycle::may_arrive_until(job).is_some_and(|until| until >= poller.clock.now());
    if !may_arrive && !job.may_still_run() {
        return Ok(());
    }
    let status = poller.queue_status(queue_of(job), None).await;
    match status {
        Ok(Some(answer)) if !answer.body.status.is_terminal() => {
            drop(poller.abort(queue_of(job)).await);
            Err(RemoteError::transient("the job runs at the remote server after all, and is aborted there first"))
        }
        Ok(_) | Err(RemoteError::Permanent(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Files first: a row without files can be removed again, files without a row would stay for ever.
pub(super) async fn remove<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    if let Err(error) = poller.logs.remove_job(job.id).await {
        tracing::error!(job = job.id.0, %error, "job {}: its files could not be removed", job.id);
        let message = "its files in data_dir can't be removed here; this server's log says why";
        return fail(poller, job, job.clone(), message, None).await;
    }
    let (id, now) = (job.id, poller.clock.now());
    let left = (job.cleanup_state == CleanupState::Failed).then(|| note_of_what_is_left(poller, job));
    let removed = poller.write(move |c| {
        // Where somebody else has removed it, they have noted what is left to do.
        let is_removed = wishes::remove(c, id, now)?;
        left.filter(|_| is_removed).map_or(Ok(()), |left| insert_audit_entry(c, left, now))
    });
    removed.await?;
    tracing::info!(job = job.id.0, "job {} deleted", job.id);
    poller.bell.ring_saved();
    Ok(After::Later)
}

/// The workspace of a deleted job that could not be removed in all the time that there is for it.
fn note_of_what_is_left<R>(poller: &Poller<R>, job: &Job) -> AuditEntry {
    let root = &poller.environment.ssh.workspace_root;
    let workspace = format!("{}/{}", root.trim_end_matches('/'), job.remote_queue_id);
    let detail = json!({ "environment": job.environment, "left": workspace, "error": job.cleanup_error });
    AuditEntry::by_nobody(Via::System, AuditAction::DeleteJob, format!("job:{}", job.id), &detail)
}
