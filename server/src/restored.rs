//! A database that was put back from a backup would give out once more the ids that were given out since, and a remote
//! server would take the new job for the old one. How far they had gone stands beside the logs as well.

use crate::logs::LogStore;
use crate::store::{Store, StoreError, installation};
use protocol::JobId;
use std::io;
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

/// Lets ids skip ahead where the database knows of fewer jobs than the files. Before any id is given out.
///
/// # Errors
/// The files could not be read, or the database did not answer.
pub async fn look(store: &Store, logs: &LogStore) -> Result<(), MarkError> {
    let Some(known) = logs.last_job().await? else { return Ok(()) };
    if store.read(installation::last_job).await? >= known {
        return Ok(());
    }
    let fresh = uuid::Uuid::new_v4().to_string();
    if store.write(move |connection| installation::skip_ahead(connection, known, &fresh)).await? {
        tracing::warn!(
            job = known.0,
            "the database knows of fewer jobs than data_dir, where {known} is the last: it was put back from a backup, \
             or is another one. Job ids go on far beyond that, and jobs since the backup are not known any more"
        );
    }
    Ok(())
}

/// Moves the mark on with the ids that are given out, until `shutdown`.
pub async fn keep_mark(store: Store, logs: LogStore, shutdown: CancellationToken) {
    let mut marked = None;
    loop {
        match mark(&store, &logs, marked).await {
            Ok(last) => marked = Some(last),
            Err(error) => tracing::debug!(%error, "the mark of the last job could not be moved on; it is tried again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn mark(store: &Store, logs: &LogStore, marked: Option<JobId>) -> Result<JobId, MarkError> {
    let last = store.read(installation::last_job).await?;
    if marked != Some(last) {
        logs.note_last_job(last).await?;
    }
    Ok(last)
}
