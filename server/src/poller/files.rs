//! The pass over logs and result files: of running jobs what is new, of ended ones all the rest.
//! Apart from `tick`, so that large files and slow answers hold up no submission and no status. Nobody else writes there.

use super::lanes::work_off;
use super::{Poller, mirror, steps};
use crate::remote::Remote;
use crate::store::StoreError;
use crate::store::environments::find_environment_status;
use crate::store::jobs::{self, Job, Lane};
use protocol::Timestamp;
use protocol::api::Health;
use std::sync::Arc;

/// Most ended jobs in one pass, so that running jobs' logs come in between.
const ENDED_PER_PASS: i64 = 16;

/// Whether the server could be asked: while it can't be reached nothing is tried, and so nothing given up.
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
    let jobs = poller.lanes.take_followed().into_iter().chain(ended.into_iter().map(|job| job.id));
    work_off(poller, Lane::Files, jobs, now, fetch).await;
    Ok(true)
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
    if let Err(error) = poller.logs.remove_job(id).await {
        tracing::error!(job = id.0, %error, "files of removed job {id} could not be removed from data_dir");
    }
    Ok(())
}
