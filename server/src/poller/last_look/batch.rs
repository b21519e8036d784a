//! The result files of a pass: fetched many at once, and noted together when they are safely on disk.

use super::Pass;
use crate::poller::mirror::{MirrorError, Progress};
use crate::poller::missing::Missing;
use crate::poller::result_files::{Fetched, MAX_FILES, fetch};
use crate::remote::Remote;
use crate::store::AnyConnection;
use crate::store::jobs::Job;
use crate::store::tasks::{self, ResultFile, Task};
use futures_util::stream::{self, StreamExt};
use protocol::remote::RemoteFile;
use std::collections::VecDeque;

const FILES_AT_ONCE: usize = 16;
/// Result files that are noted together.
const FILES_PER_BATCH: usize = 256;

impl<R: Remote> Pass<'_, R> {
    /// Fetches what is listed of these tasks, as far as this pass goes.
    pub(super) async fn fetch_files(&mut self, group: Vec<Task>) -> Result<Progress, MirrorError> {
        loop {
            let batch = self.next_batch(&group);
            let is_last = batch.is_empty();
            self.fetch_batch(batch, &group).await?;
            if is_last || self.has_enough() {
                return Ok(Progress::UpToDate);
            }
            if self.is_spent() {
                return Ok(Progress::More);
            }
        }
    }

    fn next_batch(&mut self, group: &[Task]) -> Vec<(i64, RemoteFile)> {
        let mut batch = Vec::new();
        for task in group {
            let Some(look) = self.look.tasks.get_mut(&task.n) else { continue };
            let Some(files) = look.files.as_mut() else { continue };
            while batch.len() < FILES_PER_BATCH && !files.is_empty() {
                if self.files + batch.len() as u64 >= MAX_FILES {
                    files.clear();
                    look.lacks_files = true;
                    self.look.missing.get_or_insert(Missing::ManyFiles { limit: MAX_FILES });
                    break;
                }
                batch.extend(files.pop_front().map(|file| (task.n, file)));
            }
        }
        batch
    }

    /// Fetches some files at once and notes them, and the tasks that are through.
    async fn fetch_batch(&mut self, batch: Vec<(i64, RemoteFile)>, group: &[Task]) -> Result<(), MirrorError> {
        let (poller, job, budget) = (self.poller, self.job, &self.budget);
        let fetched: Vec<Fetched> = stream::iter(batch)
            .map(|(n, file)| fetch(poller, job, n, file, budget))
            .buffer_unordered(FILES_AT_ONCE)
            .collect()
            .await;
        let (mut kept, mut failures) = (Vec::new(), Vec::new());
        for Fetched { n, file, outcome } in fetched {
            let look = self.look.tasks.entry(n).or_default();
            match outcome {
                Ok(Ok(size)) => {
                    self.bytes = self.bytes.saturating_sub(size);
                    kept.push(note_of(self.job, n, file, size));
                }
                Ok(Err(missing)) => {
                    if missing.is_final() {
                        look.lacks_files = true;
                    } else {
                        look.again.push(file);
                    }
                    self.miss(missing);
                }
                Err(error) => {
                    look.again.push(file);
                    failures.push(error);
                }
            }
        }
        self.files += kept.len() as u64;
        self.brings_any |= !kept.is_empty();
        self.note_batch(kept, group).await?;
        for failure in failures {
            match failure {
                MirrorError::Full(_) | MirrorError::Store(_) => return Err(failure),
                failure => self.fail(failure),
            }
        }
        Ok(())
    }

    async fn note_batch(&mut self, kept: Vec<ResultFile>, group: &[Task]) -> Result<(), MirrorError> {
        let paths = kept.iter().map(|file| (file.n, file.path.as_str()));
        self.poller.logs.sync_results(self.job.id, paths).await.map_err(MirrorError::local)?;
        let mut through = Vec::new();
        for task in group {
            let Some(look) = self.look.tasks.get_mut(&task.n) else { continue };
            let is_through = look.again.is_empty() && look.files.as_ref().is_some_and(VecDeque::is_empty);
            if look.results_are_done || !is_through {
                continue;
            }
            look.results_are_done = true;
            // What is missing is looked for again after a restart.
            if !look.lacks_files {
                through.push(task.n);
            }
        }
        if kept.is_empty() && through.is_empty() {
            return Ok(());
        }
        let id = self.job.id;
        let note = move |c: &mut AnyConnection| {
            tasks::add_results(c, kept)?;
            tasks::complete_results(c, id, &through)
        };
        Ok(self.poller.write(note).await?)
    }
}

fn note_of(job: &Job, n: i64, file: RemoteFile, size: u64) -> ResultFile {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    ResultFile { job_id: job.id, n, path: file.path, size, content_type: file.content_type }
}
