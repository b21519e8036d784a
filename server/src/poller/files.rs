//! The pass over logs and result files: of running jobs what is new, of ended ones all the rest.
//! Apart from `tick`, so that large files and slow answers hold up no submission and no status. Nobody else writes there.

use super::tick::{JOBS_AT_ONCE, advance_all};
use super::{Poller, mirror};
use crate::remote::Remote;
use crate::store::environments::find_environment_status;
use crate::store::jobs::{self, Job, Lane};
use crate::store::{AnyConnection, StoreError};
use futures_util::stream::{self, StreamExt};
use protocol::api::Health;
use protocol::{JobId, Timestamp};
use std::collections::BTreeMap;

/// Most ended jobs in one pass, so that running jobs' logs come in between.
const ENDED_PER_PASS: i64 = 16;

/// Whether the server could be asked: while it can't be reached nothing is tried, and so nothing given up.
///
/// # Errors
/// Only the store's: a remote server's failures are facts that are stored.
pub async fn fetch_files<R: Remote>(poller: &Poller<R>, now: Timestamp) -> Result<bool, StoreError> {
    let name = poller.name().to_owned();
    let known = poller.store.read(move |c| find_environment_status(c, &name)).await?;
    if known.is_some_and(|status| status.health == Health::Unreachable) {
        return Ok(false);
    }
    let (ended, running) = collect(poller, now).await?;
    let ids: Vec<JobId> = ended.keys().copied().chain(running.iter().map(|job| job.id)).collect();
    tokio::join!(advance_all(poller, ended, Lane::Files, now), follow_all(poller, running));
    remove_leftovers(poller, ids).await?;
    Ok(true)
}

async fn collect<R: Remote>(
    poller: &Poller<R>,
    now: Timestamp,
) -> Result<(BTreeMap<JobId, Job>, Vec<Job>), StoreError> {
    let (name, followed) = (poller.name().to_owned(), poller.lanes.take_followed());
    let find = move |connection: &mut AnyConnection| {
        let due = jobs::list_due(connection, &name, Lane::Files, now, ENDED_PER_PASS)?;
        let mut running = Vec::new();
        for id in followed {
            let job = jobs::find_job(connection, id)?.map(|(job, _)| job);
            running.extend(job.filter(|job| !job.status.is_terminal() && job.delete_requested_at.is_none()));
        }
        Ok((due.into_iter().map(|job| (job.id, job)).collect(), running))
    };
    poller.store.read(find).await
}

/// A failure shows in its own time: the next status repeats it.
async fn follow_all<R: Remote>(poller: &Poller<R>, running: Vec<Job>) {
    let follow = |job: Job| async move {
        if let Err(error) = mirror::follow(poller, &job).await {
            tracing::error!(job = job.id.0, %error, "poller.follow: job {} failed in the store", job.id);
        }
    };
    stream::iter(running).map(follow).buffer_unordered(JOBS_AT_ONCE).collect::<()>().await;
}

/// Jobs that were removed while their files were being fetched leave none behind.
async fn remove_leftovers<R: Remote>(poller: &Poller<R>, ids: Vec<JobId>) -> Result<(), StoreError> {
    let gone = poller.store.read(move |c| jobs::list_missing(c, &ids)).await?;
    for id in gone {
        if let Err(error) = poller.logs.remove_job(id).await {
            tracing::error!(job = id.0, %error, "files of removed job {id} could not be removed from data_dir");
        }
    }
    Ok(())
}
