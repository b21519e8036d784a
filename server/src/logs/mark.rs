//! How far the job ids had gone, told by the files: the mark that the server leaves in `data_dir`, and the jobs' folders.
//! A backup of the database alone does not take these back.

use super::LogStore;
use super::sweep::{JOBS_PER_FOLDER, numbered_folders};
use protocol::JobId;
use std::io::{self, Write};
use std::path::Path;
use tempfile::NamedTempFile;

const MARK: &str = "last-job";

impl LogStore {
    /// The last job that anything here tells of.
    pub async fn last_job(&self) -> io::Result<Option<JobId>> {
        let (folder, jobs) = (self.data_dir.clone(), self.data_dir.join("jobs"));
        self.off_thread(move || {
            let marked = read_mark(&folder);
            let group = numbered_folders(&jobs)?.into_iter().max();
            let found = match group {
                Some(group) => numbered_folders(&jobs.join(group.to_string()))?.into_iter().max(),
                None => None,
            };
            let found = found.filter(|id| group == Some(id / JOBS_PER_FOLDER));
            Ok(found.max(marked).map(JobId))
        })
        .await
    }

    /// Leaves the mark: ids up to this one have been given out. One of somebody who knows of more stays.
    pub async fn note_last_job(&self, id: JobId) -> io::Result<()> {
        let folder = self.data_dir.clone();
        self.off_thread(move || {
            if read_mark(&folder).is_some_and(|marked| marked >= id.0) {
                return Ok(());
            }
            let mut file = NamedTempFile::new_in(&folder)?;
            writeln!(file, "{}", id.0)?;
            file.as_file().sync_all()?;
            file.persist(folder.join(MARK)).map(drop).map_err(|error| error.error)
        })
        .await
    }
}

/// What is no number was cut short by a power cut; the folders tell nearly as much.
fn read_mark(folder: &Path) -> Option<i64> {
    std::fs::read_to_string(folder.join(MARK)).ok()?.trim().parse().ok()
}
