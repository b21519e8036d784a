//! The last look at the logs and results of a job that has ended: what comes of each pass over them.
//! What is here stands in the rows; what is missing, and so looked at only once, in memory.

use super::Poller;
use super::last_look::Pass;
use super::mirror::{MirrorError, Progress};
use super::missing::{Doubt, Missing};
use super::outcome::{After, save};
use crate::lifecycle;
use crate::remote::{Remote, RemoteError};
use crate::store::StoreError;
use crate::store::jobs::Job;
use protocol::Timestamp;
use protocol::api::LogsState;

/// Mirrors the rest of a job that has ended; its logs are complete, or incomplete with a reason, or due again.
pub(super) async fn finish<R: Remote>(poller: &Poller<R>, job: &Job) -> Result<After, StoreError> {
    let mut pass = Pass::new(poller, job);
    let outcome = pass.run().await;
    // A pass may take minutes, which are no part of the pause after it.
    let now = poller.clock.now();
    let (mut look, doubted) = pass.into_parts();
    let mut after = job.clone();
    let (message, retry_after) = match outcome {
        Ok(Progress::UpToDate) => {
            let Some(doubted) = doubted else { return settle(poller, job, words(job, look.missing), now).await };
            let doubt = Doubt::again(look.doubt, &doubted, now);
            if doubt.is_over(&doubted, now) || doubted.is_known_before(job) {
                let missing = look.missing.take().or(Some(doubted));
                return settle(poller, job, words(job, missing), now).await;
            }
            look.doubt = Some(doubt);
            poller.marks.keep_look(job.id, look);
            after.logs_error = Some(doubted.to_string());
            after.attempts = 0;
            after.next_at = Some(now.plus(Doubt::pause(&doubted)));
            save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Later);
        }
        Ok(Progress::More) => {
            poller.marks.keep_look(job.id, look);
            after.logs_error = None;
            after.attempts = 0;
            after.next_at = Some(now);
            save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Later);
        }
        Err(MirrorError::Store(error)) => return Err(error),
        // Not this job's fault, and no reason to give its files up: it stays due until there is room.
        Err(MirrorError::Full(words)) => {
            poller.marks.keep_look(job.id, look);
            after.logs_error = Some(words);
            save(poller, job, &after, Vec::new()).await?;
            return Ok(After::Later);
        }
        Err(MirrorError::Remote(RemoteError::Transient { message, retry_after })) => (message.to_string(), retry_after),
        Err(MirrorError::Remote(error)) => (error.to_string(), None),
        Err(MirrorError::Local(error)) => {
            tracing::error!(job = job.id.0, error, "job {}: its logs could not be kept", job.id);
            (format!("could not be kept here: {error}"), None)
        }
    };
    if lifecycle::gives_up_mirroring(job, &poller.limits(), now) {
        tracing::error!(job = job.id.0, error = message, "job {}: gave up fetching its logs and results", job.id);
        return settle(poller, job, Some(message), now).await;
    }
    poller.marks.keep_look(job.id, look);
    after.logs_error = Some(message);
    let retry_after = retry_after.map(|pause| pause.min(poller.environment.retry_max_interval));
    lifecycle::postpone(&mut after, &poller.limits(), retry_after, poller.chance.jitter(), now);
    save(poller, job, &after, Vec::new()).await?;
    Ok(After::Later)
}

/// A queue that the server never had has no logs to miss.
fn words(job: &Job, missing: Option<Missing>) -> Option<String> {
    let was_never_there = job.accepted_at.is_none() && matches!(missing, Some(Missing::Refused(_)));
    missing.filter(|missing| !was_never_there && !missing.is_no_loss()).map(|missing| missing.to_string())
}

async fn settle<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    missing: Option<String>,
    now: Timestamp,
) -> Result<After, StoreError> {
    let mut after = job.clone();
    after.logs_state = if missing.is_none() { LogsState::Complete } else { LogsState::Incomplete };
    after.logs_error = missing;
    after.attempts = 0;
    after.next_at = Some(now);
    if save(poller, job, &after, Vec::new()).await? {
        poller.marks.forget(job.id);
    }
    Ok(After::Again)
}
