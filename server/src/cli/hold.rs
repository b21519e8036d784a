//! One server at a time on a database in a file and on the folder of its logs: a second one would send the same jobs.
//! Replicas share a database of PostgreSQL instead, where leases keep them apart.

use super::serve::ServeError;
use crate::config::Config;
use crate::state::make_folder;
use crate::store::DatabaseUrl;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for a server that is just ending: as long as supervisors give it.
const WAIT: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Locks what only one server may use, for as long as the files live. The system lets go of them with the process.
pub(super) async fn take(config: &Config) -> Result<Vec<File>, ServeError> {
    let DatabaseUrl::Sqlite(database) = &config.database_url else { return Ok(Vec::new()) };
    // Beside the file itself, by whatever link it is named. One that is not there yet nobody else uses.
    let mut beside = std::fs::canonicalize(database).unwrap_or_else(|_| database.clone()).into_os_string();
    beside.push(".lock");
    let end = Instant::now() + WAIT;
    let mut held = Vec::new();
    for path in [config.data_dir.join("testarena.lock"), PathBuf::from(beside)] {
        make_folder(path.parent().unwrap_or(Path::new(".")))?;
        lock(&mut held, &path, end).await?;
    }
    Ok(held)
}

async fn lock(held: &mut Vec<File>, path: &Path, end: Instant) -> Result<(), ServeError> {
    let failed = |source| ServeError::Lock { file: path.display().to_string(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
    // The lock beside a database `data_dir/testarena` is the one in `data_dir`, and would keep out its own holder.
    let id = file_id(&file).map_err(failed)?;
    for other in &*held {
        if file_id(other).map_err(failed)? == id {
            return Ok(());
        }
    }
    loop {
        match file.try_lock() {
            Ok(()) => {
                held.push(file);
                return Ok(());
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if Instant::now() > end => {
                return Err(ServeError::InUse(path.display().to_string()));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}

/// Device and inode.
fn file_id(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|found| (found.dev(), found.ino()))
}
