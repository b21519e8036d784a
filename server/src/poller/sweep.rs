//! The start's look for what a crash has left below `data_dir`: unfinished files, and files of jobs that are gone.

use crate::logs::LogStore;
use crate::store::{Store, StoreError, jobs};
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Files(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Removes what no job has any more; how many jobs' files these were. Of an id that this database has not given out,
/// nothing is touched: most likely it is another database's.
///
/// # Errors
/// The first thing that could not be read or removed.
pub async fn sweep(store: &Store, logs: &LogStore) -> Result<usize, SweepError> {
    logs.sweep_parts().await?;
    let mut removed = 0;
    // Files first, rows afterwards: a job whose files are seen had its row before them.
    for group in logs.list_jobs().await? {
        for job in store.read(move |c| jobs::find_removed(c, &group)).await? {
            logs.remove_job(job).await?;
            removed += 1;
        }
    }
    if removed > 0 {
        tracing::info!(removed, "removed the files of {removed} jobs that are gone");
    }
    Ok(removed)
}
