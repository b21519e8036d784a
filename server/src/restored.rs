//! A database that was put back from a backup, or whose standby took over without the last commits, would give out once
//! more the ids that were given out since, and a remote server would take the new job for the old one. How far they had
//! gone stands beside the logs as well, and this process knows which it gave out itself.

use crate::logs::LogStore;
use crate::store::{Store, StoreError, installation};
use protocol::JobId;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the mark is moved on.
const INTERVAL: Duration = Duration::from_secs(5);

/// Why a mark could not be compared or moved on.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    #[error("the mark of the last job in data_dir: {0}")]
    Files(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The last job that this process knows of, whatever the database says meanwhile. All clones are one.
#[derive(Clone, Default)]
pub struct LastJob(Arc<AtomicI64>);

impl LastJob {
    pub fn get(&self) -> JobId {
        JobId(self.0.load(Ordering::Relaxed))
    }

    /// A job's id has been given out, for good.
    pub fn note(&self, id: JobId) {
        self.0.fetch_max(id.0, Ordering::Relaxed);
    }
}

/// Lets ids skip ahead where the database knows of fewer jobs than the files. Before any id is given out.
///
/// # Errors
/// The files could not be read, or the database did not answer.
pub async fn look(store: &Store, logs: &LogStore) -> Result<LastJob, MarkError> {
    let last = LastJob::default();
    if let Some(known) = logs.last_job().await? {
        last.note(known);
    }
    compare(store, &last).await?;
    Ok(last)
}

/// Moves the mark on with the ids that are given out, until `shutdown`.
pub async fn keep_mark(store: Store, logs: LogStore, last: LastJob, shutdown: CancellationToken) {
    let mut marked = None;
    loop {
        match mark(&store, &logs, &last, marked).await {
            Ok(now) => marked = Some(now),
            Err(error) => tracing::debug!(%error, "the mark of the last job could not be moved on; it is tried again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn mark(store: &Store, logs: &LogStore, last: &LastJob, marked: Option<JobId>) -> Result<JobId, MarkError> {
    compare(store, last).await?;
    let now = last.get();
    if marked != Some(now) {
        logs.note_last_job(now).await?;
    }
    Ok(now)
}

/// Brings the two together: ids skip ahead where the database is behind, and what others gave out is noted.
async fn compare(store: &Store, last: &LastJob) -> Result<(), MarkError> {
    let known = last.get();
    let counted = store.read(installation::last_job).await?;
    if counted < known {
        store.write(move |connection| installation::skip_ahead(connection, known)).await?;
    }
    last.note(counted);
    Ok(())
}
