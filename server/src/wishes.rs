//! What people want of a job, written down before anybody acts on it: ends, deletions, and what an admin forces.
//! Each is one transaction with its audit entry, and rings once it is stored, also when the caller has hung up by then.

use crate::bell::Bell;
use crate::lifecycle;
use crate::logs::LogStore;
use crate::store::audit::{AuditEntry, insert_audit_entry};
use crate::store::jobs::{self, Job};
use crate::store::tasks::find_tasks;
use crate::store::tombstones::{NewTombstone, Wanted, insert_tombstone};
use crate::store::{AnyConnection, QueryResult, Store, StoreError};
use protocol::{JobId, Timestamp};
use std::io;

/// Where they are written down, and who hears of it. Cheap to clone.
#[derive(Clone)]
pub struct Wishes {
    pub store: Store,
    pub logs: LogStore,
    pub bell: Bell,
}

/// Why a job could not be removed here.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its files could not be removed from data_dir: {0}")]
    Files(#[from] io::Error),
}

impl Wishes {
    /// Notes that a job is to be aborted, and why; `false` if it has ended or an abort is noted already.
    pub async fn abort(&self, id: JobId, why: String, audit: AuditEntry, now: Timestamp) -> Result<bool, StoreError> {
        let write = move |connection: &mut AnyConnection| note_abort(connection, id, &why, audit, now);
        self.store.write_then(write, self.ring()).await
    }

    /// The same of a job whose environment is not configured here, so that no poller of this process follows it: one
    /// that was never sent ends at once, since there is nothing anywhere to wait for. `false`: nothing was to be done.
    pub async fn abort_unfollowed(
        &self,
        id: JobId,
        why: String,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let write = move |connection: &mut AnyConnection| {
            let is_new = note_abort(connection, id, &why, audit, now)?;
            Ok(end_if_unsent(connection, id, now)? || is_new)
        };
        self.store.write_then(write, self.ring()).await
    }

    /// Ends a job here as `error`, without the remote server's word; what that may still do about it is given up in the
    /// background. `false`: the job has changed since it was read as `before`, and nothing was done.
    pub async fn force_end(&self, before: Job, audit: AuditEntry, now: Timestamp) -> Result<bool, StoreError> {
        let id = before.id;
        let tasks = self.store.read(move |connection| find_tasks(connection, id)).await?;
        let (after, open_tasks) = lifecycle::force(&before, tasks, now);
        let write = move |connection: &mut AnyConnection| {
            if !jobs::save_job(connection, &before, &after, open_tasks)? {
                return Ok(false);
            }
            abandon(connection, &before, Wanted::Abort, now)?;
            insert_audit_entry(connection, audit, now)?;
            Ok(true)
        };
        self.store.write_then(write, self.ring()).await
    }

    /// Notes that a job is to be deleted, and deletes it at once where nothing of it is at the remote server.
    pub async fn delete(&self, id: JobId, why: String, audit: AuditEntry, now: Timestamp) -> Result<(), RemovalError> {
        let write = move |connection: &mut AnyConnection| {
            if jobs::request_delete(connection, id, &why, now)? {
                insert_audit_entry(connection, audit, now)?;
            }
            jobs::find_job(connection, id)
        };
        let found = self.store.write_then(write, self.ring()).await?;
        if found.is_some_and(|job| !jobs::may_be_there(&job)) {
            // The files first: a row without files can be removed again.
            self.logs.remove_job(id).await?;
            self.store.write_then(move |connection| remove(connection, id, now), self.ring()).await?;
        }
        Ok(())
    }

    /// Removes a job here at once; its queue is deleted at the remote server in the background. `false`: there is none.
    pub async fn force_removal(
        &self,
        id: JobId,
        why: String,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let write = move |connection: &mut AnyConnection| {
            // The transaction must start with a write, and the row must be read as it stands when it goes.
            jobs::request_delete(connection, id, &why, now)?;
            let Some(job) = jobs::find_job(connection, id)? else {
                return Ok(false);
            };
            jobs::remove_job(connection, id)?;
            abandon(connection, &job, Wanted::Delete, now)?;
            insert_audit_entry(connection, audit, now)?;
            Ok(true)
        };
        let is_removed = self.store.write_then(write, self.ring()).await?;
        if is_removed && let Err(error) = self.logs.remove_job(id).await {
            tracing::error!(job.id = %id, %error, "files of deleted job {id} could not be removed from data_dir");
        }
        Ok(is_removed)
    }

    fn ring<T>(&self) -> impl FnOnce(&T) + Send + 'static + use<T> {
        let bell = self.bell.clone();
        move |_| {
            bell.ring_work();
            bell.ring_saved();
        }
    }
}

fn note_abort(
    connection: &mut AnyConnection,
    id: JobId,
    why: &str,
    audit: AuditEntry,
    now: Timestamp,
) -> QueryResult<bool> {
    let is_new = jobs::request_abort(connection, id, why, now)?;
    if is_new {
        insert_audit_entry(connection, audit, now)?;
    }
    Ok(is_new)
}

/// Another process, where the environment is still configured, notes a sending before it sends, and on the version of the
/// row that it has seen: whoever is first here keeps the other one from it.
fn end_if_unsent(connection: &mut AnyConnection, id: JobId, now: Timestamp) -> QueryResult<bool> {
    let Some(before) = jobs::change_job(connection, id, |_| false)? else { return Ok(false) };
    if before.status.is_terminal() || before.submit_attempted_at.is_some() {
        return Ok(false);
    }
    let tasks = find_tasks(connection, id)?;
    let (after, ended_tasks) = lifecycle::abort_unsent(&before, tasks, now);
    jobs::save_job(connection, &before, &after, ended_tasks)
}

/// Removes a job whose queue is gone, as far as is known; a tombstone goes on looking where that is not sure. `false`:
/// there is no such job.
pub fn remove(connection: &mut AnyConnection, id: JobId, now: Timestamp) -> QueryResult<bool> {
    // As it stands when it goes: if the clock was set since it was read, its moments have been moved.
    let Some(job) = jobs::change_job(connection, id, |_| false)? else { return Ok(false) };
    jobs::remove_job(connection, id)?;
    if let Some(tombstone) = tombstone_of(&job, Wanted::Delete, now) {
        insert_tombstone(connection, tombstone, now)?;
    }
    Ok(true)
}

/// Notes what is still to be done at the remote server for a job that nobody follows here any more.
fn abandon(connection: &mut AnyConnection, job: &Job, wanted: Wanted, now: Timestamp) -> QueryResult<()> {
    let is_left = || jobs::may_be_there(job).then(|| tombstone_until(job, wanted, jobs::DUE_AT_ONCE));
    tombstone_of(job, wanted, now)
        .or_else(is_left)
        .map_or(Ok(()), |tombstone| insert_tombstone(connection, tombstone, now))
}

/// For a queue that may still come to its server, or run there, although its job is done with.
pub fn tombstone_of(job: &Job, wanted: Wanted, now: Timestamp) -> Option<NewTombstone> {
    if !jobs::has_own_queue(job) {
        return None;
    }
    let look_until = match lifecycle::may_arrive_until(job) {
        // A deletion leaves the workspace of what may come late to it, however late it is itself.
        Some(until) if until > now || wanted == Wanted::Delete => until,
        // Nothing can come, by no clock, and something may be there.
        None if wanted == Wanted::Delete && (lifecycle::is_forced(job) || job.unknown_since.is_some()) => {
            jobs::DUE_AT_ONCE
        }
        _ => return None,
    };
    Some(tombstone_until(job, wanted, look_until))
}

/// The same, which is looked for until then at least.
pub fn tombstone_until(job: &Job, wanted: Wanted, look_until: Timestamp) -> NewTombstone {
    NewTombstone {
        environment: job.environment.clone(),
        instance: job.instance.clone(),
        remote_queue_id: job.remote_queue_id.clone(),
        wanted,
        look_until,
    }
}
