//! The pass over logs and result files: of running jobs what is new, of ended ones all the rest.
//! Apart from the other lanes, so that large files and slow answers hold up no submission and no status. Nobody else writes there.

use super::lanes::{Errand, work_off_files};
use super::{Poller, mirror, steps};
use crate::remote::Remote;
use crate::store::StoreError;
use crate::store::environments::find_environment_status;
use crate::store::jobs::{self, Job, Lane};
use protocol::api::Health;
use protocol::{JobId, Timestamp};
use std::sync::Arc;

/// Most ended jobs in one pass, so that running jobs' logs come in between.
const ENDED_PER_PASS: i64 = 16;

/// Whether anything could be done: while the server can't be reached, or nothing can be kept here, nothing is tried, and so
/// nothing given up.
///
/// # Errors
/// Only the store's: a remote server's failures are facts that are stored.
pub async fn fetch_files<R: Remote>(poller: &Arc<Poller<R>>, now: Timestamp) -> Result<bool, StoreError> {
    let name = poller.name().to_owned();
    let known = poller.store.read(move |c| find_environment_status(c, &name)).await?;
    if known.is_some_and(|status| status.health == Health::Unreachable) {
        return Ok(false);
    }
    let (name, under_way) = (poller.name().to_owned(), poller.lanes.under_way(Lane::Files));
    let ended =
        poller.store.read(move |c| jobs::list_due(c, &name, Lane::Files, now, &under_way, ENDED_PER_PASS)).await?;
    let ended: Vec<JobId> = ended.into_iter().map(|job| job.id).collect();
    // One that has ended since it was spoken of is no running one any more.
    let followed =
        poller.lanes.take_followed().into_iter().filter(|id| !ended.contains(id)).map(|id| (id, Errand::Follow));
    let jobs = followed.chain(ended.iter().map(|id| (*id, Errand::Finish)));
    if let Some(words) = poller.logs.closed() {
        say_why(poller, jobs.map(|(id, _)| id).collect(), words).await;
        return Ok(false);
    }
    work_off_files(poller, jobs, now, fetch).await;
    Ok(true)
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

async fn fetch<R: Remote>(poller: Arc<Poller<R>>, job: Job) -> Result<(), StoreError> {
    let id = job.id;
    let fetched = if job.lane == Lane::Files {
        steps::advance(&poller, job, Lane::Files).await
    } else if job.status.is_terminal() || job.delete_requested_at.is_some() {
        Ok(())
    } else {
        mirror::follow(&poller, &job).await
    };
    if poller.store.read(move |c| jobs::find_job(c, id)).await?.is_some() {
        return fetched;
    }
    // It was removed meanwhile, and leaves nothing behind.
    poller.marks.forget(id);
    if let Err(error) = poller.logs.remove_job(id).await {
        tracing::error!(job = id.0, %error, "files of removed job {id} could not be removed from data_dir");
    }
    Ok(())
}
