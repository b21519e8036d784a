//! One server at a time on a database in a file and on the folder of its logs: a second one would send the same jobs.
//! Replicas share a database of PostgreSQL instead, where leases keep them apart.

use super::serve::ServeError;
use crate::config::Config;
use crate::state::make_folder;
use crate::store::DatabaseUrl;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for a server that is just ending: as long as supervisors give it.
const WAIT: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// Locks what only one server may use, for as long as the files live. The system lets go of them with the process.
pub(super) async fn take(config: &Config) -> Result<Vec<File>, ServeError> {
    let DatabaseUrl::Sqlite(database) = &config.database_url else { return Ok(Vec::new()) };
    let mut beside = database.as_os_str().to_owned();
    beside.push(".lock");
    let end = Instant::now() + WAIT;
    let mut held = Vec::new();
    for path in [config.data_dir.join("testarena.lock"), PathBuf::from(beside)] {
        make_folder(path.parent().unwrap_or(Path::new(".")))?;
        held.push(lock(path, end).await?);
    }
    Ok(held)
}

async fn lock(path: PathBuf, end: Instant) -> Result<File, ServeError> {
    let failed = |source| ServeError::Lock { file: path.display().to_string(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if Instant::now() > end => {
                return Err(ServeError::InUse(path.display().to_string()));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_EVERY).await,
        }
    }
}
