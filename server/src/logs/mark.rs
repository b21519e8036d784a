//! How far the job ids had gone, told by the files: the mark that the server leaves in `data_dir`, and the jobs' folders.
//! A backup of the database alone does not take these back.

use super::LogStore;
use super::sweep::{JOBS_PER_FOLDER, numbered_folders};
use protocol::JobId;
use std::io::{self, Write};
use tempfile::NamedTempFile;

const MARK: &str = "last-job";

impl LogStore {
    /// The last job that anything here tells of.
    pub async fn last_job(&self) -> io::Result<Option<JobId>> {
        let (mark, jobs) = (self.data_dir.join(MARK), self.data_dir.join("jobs"));
        self.off_thread(move || {
            // What is no number was cut short by a power cut; the folders tell nearly as much.
            let marked = std::fs::read_to_string(mark).ok().and_then(|text| text.trim().parse().ok());
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

    /// Leaves the mark: ids up to this one have been given out.
    pub async fn note_last_job(&self, id: JobId) -> io::Result<()> {
        let folder = self.data_dir.clone();
        self.off_thread(move || {
            let mut file = NamedTempFile::new_in(&folder)?;
            writeln!(file, "{}", id.0)?;
            file.as_file().sync_all()?;
            file.persist(folder.join(MARK)).map(drop).map_err(|error| error.error)
        })
        .await
    }
}
