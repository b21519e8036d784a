//! What a crash can leave behind below `data_dir`: unfinished parts of result files, and files of jobs that are gone.
//! Looked for once, at the start.

use super::{LogStore, files};
use protocol::JobId;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Jobs to a folder below `jobs/`.
pub(super) const JOBS_PER_FOLDER: i64 = 1_000;

impl LogStore {
    /// Removes what was being fetched when the server was last ended: it is fetched anew.
    pub async fn sweep_parts(&self) -> io::Result<()> {
        let parts = self.parts_folder();
        self.off_thread(move || files::remove_folder(&parts)).await
    }

    /// The jobs of which something is here, in groups that lie in one folder.
    pub async fn list_jobs(&self) -> io::Result<Vec<Vec<JobId>>> {
        let root = self.data_dir.join("jobs");
        self.off_thread(move || {
            let groups = numbered_folders(&root)?.into_iter().map(|group| {
                let ids = numbered_folders(&root.join(group.to_string()))?;
                Ok(ids.into_iter().filter(|id| id / JOBS_PER_FOLDER == group).map(JobId).collect())
            });
            groups.collect()
        })
        .await
    }
}

/// Folders named by a number in its usual form. Anything else is not ours, and left alone.
pub(super) fn numbered_folders(folder: &Path) -> io::Result<Vec<i64>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| Some((name, name.parse::<i64>().ok()?)));
        numbers.extend(number.filter(|(name, number)| *number >= 0 && number.to_string() == *name).map(|(_, n)| n));
    }
    Ok(numbers)
}
