//! One idempotent pass over an environment: look at the store and at the remote server, bring them nearer to agreement.
//! One job's failure never stops the others, and none waits for a slow one. What usually takes long has passes of its
//! own: `files` and `cleanup`.

use super::Poller;
use super::steps::advance_all;
use crate::lifecycle::next_step;
use crate::remote::{Remote, RemoteError};
use crate::store::StoreError;
use crate::store::environments::{EnvironmentStatus, find_environment_status, save_environment_status};
use crate::store::jobs::{self, Job, Lane};
use protocol::api::Health;
use protocol::remote::{FEATURE_CHANGES, HealthBody};
use protocol::{JobId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most due jobs in one pass; the rest follows in the next one.
const DUE_PER_TICK: i64 = 500;

/// Which jobs a pass is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// What is due and what somebody is looking at.
    Due,
    /// That, and every open job.
    All,
}

/// What a pass found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub reachable: bool,
    pub has_feed: bool,
    /// Every job that the pass was about was seen through and saved.
    pub is_whole: bool,
}

/// # Errors
/// Only the store's: a remote server's failures are facts that are stored.
pub async fn tick<R: Remote>(poller: &Arc<Poller<R>>, round: Round, now: Timestamp) -> Result<Report, StoreError> {
    let name = poller.name().to_owned();
    let known = poller.store.read(move |c| find_environment_status(c, &name)).await?;
    let known = known.unwrap_or_else(|| EnvironmentStatus::unknown(poller.name(), now));
    let health = poller.remote.health(&poller.instance).await;
    let mut report = Report {
        reachable: health.is_ok(),
        has_feed: health.as_ref().is_ok_and(|said| said.features.iter().any(|feature| feature == FEATURE_CHANGES)),
        is_whole: true,
    };
    let unreachable = health.as_ref().err().map(ToString::to_string);
    let mut status = with_health(known.clone(), health, now);
    if let Some(error) = unreachable {
        save_status(poller, &known, status).await?;
        let name = poller.name().to_owned();
        if poller.store.write(move |c| jobs::mark_all_failing(c, &name, &error)).await? {
            poller.bell.ring_saved();
        }
        let mut jobs = collect(poller, Round::Due, now).await?;
        jobs.retain(|_, job| next_step(job, &poller.limits(), now).is_local());
        advance_all(poller, Lane::Queue, jobs.into_keys(), now).await;
        return Ok(report);
    }
    let jobs = collect(poller, round, now).await?;
    report.is_whole = advance_all(poller, Lane::Queue, jobs.into_keys(), now).await;
    if round == Round::All && report.is_whole {
        status.round_at = Some(now);
    }
    save_status(poller, &known, status).await?;
    if known.health == Health::Unreachable {
        // What waited for its return.
        poller.lanes.wake(Lane::Files);
    }
    Ok(report)
}

/// The jobs that this pass is about, each once.
async fn collect<R: Remote>(
    poller: &Poller<R>,
    round: Round,
    now: Timestamp,
) -> Result<BTreeMap<JobId, Job>, StoreError> {
    let name = poller.name().to_owned();
    let looked_at = poller.bell.looked_at(poller.name(), now);
    let find = move |connection: &mut crate::store::AnyConnection| {
        let mut found = jobs::list_due(connection, &name, Lane::Queue, now, DUE_PER_TICK)?;
        if round == Round::All {
            found.extend(jobs::list_open(connection, &name)?.into_iter().filter(|job| !waits_for_retry(job)));
        }
        for id in looked_at {
            let job = jobs::find_job(connection, id)?.map(|(job, _)| job);
            let is_asked_about = |job: &Job| {
                job.environment == name
                    && job.accepted_at.is_some()
                    && !job.status.is_terminal()
                    && !waits_for_retry(job)
            };
            found.extend(job.filter(is_asked_about));
        }
        Ok(found.into_iter().map(|job| (job.id, job)).collect())
    };
    poller.store.read(find).await
}

/// A job whose last attempt failed has its own time to be tried again.
fn waits_for_retry(job: &Job) -> bool {
    job.attempts > 0
}

fn with_health(known: EnvironmentStatus, health: Result<HealthBody, RemoteError>, now: Timestamp) -> EnvironmentStatus {
    let (state, error, said) = match health {
        Ok(said) if said.status == "ok" => (Health::Ok, None, Some(said)),
        Ok(said) => (Health::Degraded, Some(format!("the remote server calls itself \"{}\"", said.status)), Some(said)),
        Err(error) => (Health::Unreachable, Some(error.private()), None),
    };
    let number = |said_now: Option<Option<u32>>, known: Option<i64>| said_now.map_or(known, |n| n.map(i64::from));
    EnvironmentStatus {
        health: state,
        since: if known.health == state { known.since } else { now },
        last_error: error,
        slots: number(said.as_ref().map(|said| said.slots), known.slots),
        busy: number(said.as_ref().map(|said| said.busy), known.busy),
        waiting: number(said.as_ref().map(|said| said.waiting), known.waiting),
        ..known
    }
}

async fn save_status<R: Remote>(
    poller: &Poller<R>,
    before: &EnvironmentStatus,
    after: EnvironmentStatus,
) -> Result<(), StoreError> {
    if *before == after {
        return Ok(());
    }
    poller.store.write(move |c| save_environment_status(c, after)).await
}
