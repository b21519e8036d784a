//! A result file on its way to its place: kept in memory while it is small, beside the others in `parts/` when it is not,
//! and moved to its place only when it is whole and safely on disk.

use super::LogStore;
use protocol::JobId;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::NamedTempFile;

/// Bytes held in memory before they go to disk: most result files are smaller, and then cost one turn on a thread.
const MEMORY_BYTES: usize = 256 * 1024;

/// What all the result files of a job may still take; shared by those that are fetched at once.
#[derive(Clone, Debug)]
pub struct Budget(Arc<AtomicU64>);

impl Budget {
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    pub fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What comes of a part that is to be kept.
#[derive(Debug)]
pub enum Outcome {
    /// It is in its place, with so many bytes.
    Kept(u64),
    /// It is larger than what is left of the job's budget.
    TooLarge,
    /// Its path can't be had here: a folder stands there, or a file where a folder would have to be.
    NoPlace,
}

/// A file that is being written. Dropped before it is kept, it leaves nothing behind.
#[derive(Debug)]
pub struct Part {
    store: LogStore,
    target: PathBuf,
    budget: Budget,
    size: u64,
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    Kept,
    TooLarge,
    Failed(io::Error),
}

impl Part {
    pub(super) fn new(store: LogStore, target: PathBuf, budget: Budget) -> Self {
        Self { store, target, budget, size: 0, memory: Vec::new(), file: None, state: State::Open }
    }

    /// Takes the next bytes; `false`: there is no use in more of them, and `keep` tells why.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        if !matches!(self.state, State::Open) {
            return false;
        }
        if !self.budget.take(bytes.len() as u64) {
            self.state = State::TooLarge;
            return false;
        }
        self.size += bytes.len() as u64;
        self.memory.extend_from_slice(bytes);
        if self.memory.len() < MEMORY_BYTES {
            return true;
        }
        if let Err(error) = self.flush().await {
            self.state = State::Failed(error);
        }
        matches!(self.state, State::Open)
    }

    /// Bytes that have come.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// All that has come was taken.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Open)
    }

    async fn flush(&mut self) -> io::Result<()> {
        let (file, bytes, parts) = (self.file.take(), std::mem::take(&mut self.memory), self.store.parts_folder());
        let room = self.store.room.clone();
        self.file = Some(self.store.off_thread(move || room.guard(|| write_on(file, &bytes, &parts))).await?);
        Ok(())
    }

    /// Puts the whole file on disk and in its place. Its folder is not yet synced: `LogStore::sync_results` does that for many.
    pub async fn keep(mut self) -> io::Result<Outcome> {
        match std::mem::replace(&mut self.state, State::Open) {
            State::Failed(error) => return Err(error),
            State::TooLarge => return Ok(Outcome::TooLarge),
            State::Open | State::Kept => {}
        }
        let (file, bytes, parts) = (self.file.take(), std::mem::take(&mut self.memory), self.store.parts_folder());
        let (room, target) = (self.store.room.clone(), self.target.clone());
        let placed =
            self.store.off_thread(move || room.guard(|| place(write_on(file, &bytes, &parts)?, &target))).await;
        match placed {
            Ok(()) => {
                self.state = State::Kept;
                Ok(Outcome::Kept(self.size))
            }
            Err(error) if is_no_place(&error) => Ok(Outcome::NoPlace),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !matches!(self.state, State::Kept) {
            self.budget.give_back(self.size);
        }
    }
}

fn write_on(file: Option<NamedTempFile>, bytes: &[u8], parts: &Path) -> io::Result<NamedTempFile> {
    let mut file = if let Some(file) = file {
        file
    } else {
        std::fs::create_dir_all(parts)?;
        NamedTempFile::new_in(parts)?
    };
    file.write_all(bytes)?;
    Ok(file)
}

fn place(file: NamedTempFile, target: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    file.persist(target).map(drop).map_err(|error| error.error)
}

fn is_no_place(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, InvalidFilename, IsADirectory, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | InvalidFilename | IsADirectory | NotADirectory)
}

impl LogStore {
    /// Begins a result file of task `n`. A path that could lead elsewhere is an error.
    pub fn begin_result(&self, job: JobId, n: i64, path: &str, budget: &Budget) -> io::Result<Part> {
        Ok(Part::new(self.clone(), self.result_path(job, n, path)?, budget.clone()))
    }

    /// Makes sure that files which are in their places are still there after a power cut.
    pub async fn sync_results(&self, job: JobId, files: impl IntoIterator<Item = (i64, &str)>) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for (n, path) in files {
            let target = self.result_path(job, n, path)?;
            let above = target.ancestors().skip(1).take_while(|folder| folder.starts_with(&*self.data_dir));
            folders.extend(above.map(Path::to_owned));
        }
        self.off_thread(move || folders.iter().try_for_each(|folder| std::fs::File::open(folder)?.sync_all())).await
    }

    pub(super) fn parts_folder(&self) -> PathBuf {
        self.data_dir.join("parts")
    }
}
