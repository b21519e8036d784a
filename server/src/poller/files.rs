//! The passes over logs and result files: over running jobs what is new, over ended ones all the rest, beside each other.
//! Apart from the other lanes, so that large files and slow answers hold up no submission and no status. Nobody else writes there.

use super::lanes::{Errand, PATIENCE, work_off_files};
use super::{Poller, SHORTEST_PAUSE, STORE_RETRY, mirror, steps, until};
use crate::remote::Remote;
use crate::store::environments::find_environment_status;
use crate::store::jobs::{self, Job, Lane};
use crate::store::{AnyConnection, StoreError};
use protocol::api::Health;
use protocol::{JobId, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Most ended jobs in one pass.
const ENDED_PER_PASS: i64 = 16;

/// What has come of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// What was found is done, or left to itself.
    All,
    /// There may be more than was found.
    More,
    /// Nothing could be done: while the server can't be reached, or nothing can be kept here, nothing is tried, and so
    /// nothing given up.
    Nothing,
}

/// The loop around the passes on one errand, until `term` ends.
pub(super) async fn run<R: Remote>(poller: Arc<Poller<R>>, errand: Errand, term: CancellationToken) {
    let mut work = poller.bell.listen_for_work();
    while !term.is_cancelled() {
        let pause = match pass(&poller, errand, poller.clock.now()).await {
            Ok(Passed::All) => pause_after(&poller, errand).await,
            Ok(Passed::More) => SHORTEST_PAUSE,
            // What is due waits until the server is back, of which the loop that watches its health tells.
            Ok(Passed::Nothing) => poller.poll_interval,
            Err(error) => {
                tracing::error!(environment = poller.name(), ?errand, %error, "poller.files failed for {}", poller.name());
                STORE_RETRY
            }
        };
        tokio::select! {
            biased;
            () = term.cancelled() => {}
            () = poller.lanes.woken_for(errand) => {}
            _ = work.changed(), if errand == Errand::Finish => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Never no time: what could not be done, or is still under way, must not spin.
async fn pause_after<R: Remote>(poller: &Poller<R>, errand: Errand) -> Duration {
    if errand == Errand::Follow {
        // Whoever ends wakes this one for those that are still to be followed.
        return poller.poll_interval;
    }
    let name = poller.name().to_owned();
    let pause = match poller.store.read(move |c| jobs::earliest_due(c, &name, Lane::Files)).await {
        Ok(due) => due.map_or(poller.poll_interval, |due| until(due, poller.clock.now(), poller)),
        Err(_) => STORE_RETRY,
    };
    // What is under way on either errand may be due on this one, and is left alone until then.
    let is_busy = !poller.lanes.under_way(Lane::Files).is_empty();
    pause.max(if is_busy { PATIENCE } else { SHORTEST_PAUSE })
}

/// One pass on each errand; whether anything could be done.
///
/// # Errors
/// Only the store's: a remote server's failures are facts that are stored.
pub async fn fetch_files<R: Remote>(poller: &Arc<Poller<R>>, now: Timestamp) -> Result<bool, StoreError> {
    let (followed, finished) = (pass(poller, Errand::Follow, now), pass(poller, Errand::Finish, now));
    let (followed, finished) = tokio::join!(Box::pin(followed), Box::pin(finished));
    Ok(followed? != Passed::Nothing && finished? != Passed::Nothing)
}

async fn pass<R: Remote>(poller: &Arc<Poller<R>>, errand: Errand, now: Timestamp) -> Result<Passed, StoreError> {
    let name = poller.name().to_owned();
    let known = poller.store.read(move |c| find_environment_status(c, &name)).await?;
    if known.is_some_and(|status| status.health == Health::Unreachable) {
        return Ok(Passed::Nothing);
    }
    let jobs: Vec<JobId> = match errand {
        Errand::Follow => poller.lanes.take_followed(),
        Errand::Finish => {
            let (name, under_way) = (poller.name().to_owned(), poller.lanes.under_way(Lane::Files));
            let find =
                move |c: &mut AnyConnection| jobs::list_due(c, &name, Lane::Files, now, &under_way, ENDED_PER_PASS);
            poller.store.read(find).await?.into_iter().map(|job| job.id).collect()
        }
    };
    if let Some(words) = poller.logs.closed() {
        say_why(poller, jobs, words).await;
        return Ok(Passed::Nothing);
    }
    let is_full = errand == Errand::Finish && i64::try_from(jobs.len()).is_ok_and(|found| found >= ENDED_PER_PASS);
    let left = work_off_files(poller, errand, jobs, now, fetch).await;
    // Where all turns are taken, looking for more would only find the same.
    let is_to_go_on = is_full && left.is_empty();
    if errand == Errand::Follow {
        poller.lanes.put_back_followed(left);
    }
    Ok(if is_to_go_on { Passed::More } else { Passed::All })
}

/// Tells the readers of jobs whose files are to be fetched why they are not. A disk that is full may keep not even that.
async fn say_why<R: Remote>(poller: &Poller<R>, jobs: Vec<JobId>, words: &str) {
    for id in jobs {
        let told = async {
            let Some(job) = poller.store.read(move |c| jobs::find_job(c, id)).await? else { return Ok(()) };
            mirror::tell(poller, &job, Some(words.to_owned())).await
        };
        let told: Result<(), StoreError> = told.await;
        if let Err(error) = told {
            tracing::debug!(job = id.0, %error, "job {id} could not be told that the disk is full");
        }
    }
}

/// Whether the job has ended meanwhile, so that the rest is another errand.
async fn fetch<R: Remote>(poller: Arc<Poller<R>>, job: Job) -> Result<bool, StoreError> {
    let (id, errand) = (job.id, Errand::of(&job));
    let fetched = if job.lane == Lane::Files {
        steps::advance(&poller, job, Lane::Files).await
    } else if job.status.is_terminal() || job.delete_requested_at.is_some() {
        Ok(())
    } else {
        mirror::follow(&poller, &job).await
    };
    if let Some(job) = poller.store.read(move |c| jobs::find_job(c, id)).await? {
        return fetched.map(|()| Errand::of(&job) != errand);
    }
    // It was removed meanwhile, and leaves nothing behind.
    poller.marks.forget(id);
    if let Err(error) = poller.logs.remove_job(id).await {
        tracing::error!(job = id.0, %error, "files of removed job {id} could not be removed from data_dir");
    }
    Ok(false)
}
