//! The mirror of logs and result files below `data_dir`: what the poller appends and every reader reads.
//! A file's length is the truth about how much is here; beside each log stands an index that can be made anew.

mod dress;
mod files;
mod fold;
mod index;
mod lines;
mod mark;
mod part;
mod room;
mod screen;
mod search;
mod style;
mod sweep;
mod turns;
mod window;

pub use fold::without_escapes;
pub use part::{Budget, Outcome, Part};
pub use room::is_full;
pub use search::{Match, Matches};
pub use window::Window;

use crate::inline::Inline;
use fold::Needle;
use index::LineIndex;
use protocol::JobId;
use protocol::names::is_result_path;
use room::{FULL_WORDS, Room};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long one search may look; it then answers what it has, with a `next_from` to go on from.
const SEARCH_LIMIT: Duration = Duration::from_secs(10);

/// Which of a job's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogId {
    /// The queue's own log.
    Queue,
    /// The log of the job's task `n`, from 1.
    Task(i64),
}

/// A file opened for streaming, and its size in bytes at that moment.
#[derive(Debug)]
pub struct StoredFile {
    pub file: tokio::fs::File,
    pub size: u64,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepLimits {
    /// Of one log.
    pub log_bytes: u64,
    /// Of all result files of one job.
    pub results_bytes: u64,
}

impl Default for KeepLimits {
    fn default() -> Self {
        Self { log_bytes: 256 << 20, results_bytes: 1 << 30 }
    }
}

/// Cheap to clone; all clones are one mirror.
#[derive(Clone, Debug)]
pub struct LogStore {
    data_dir: Arc<Path>,
    limits: KeepLimits,
    room: Room,
    /// `None`: files are read and written on threads of their own.
    inline: Option<Inline>,
}

impl LogStore {
    /// Touches nothing yet; folders are made when there is something to keep.
    pub fn new(data_dir: PathBuf, limits: KeepLimits) -> Self {
        let data_dir: Arc<Path> = data_dir.into();
        Self { room: Room::new(Arc::clone(&data_dir)), data_dir, limits, inline: None }
    }

    /// A mirror without threads.
    pub fn new_here(data_dir: PathBuf, limits: KeepLimits, inline: Inline) -> Self {
        Self { inline: Some(inline), ..Self::new(data_dir, limits) }
    }

    pub fn limits(&self) -> KeepLimits {
        self.limits
    }

    /// Why nothing can be kept now, for people; `None` where it can, or where it may be tried again.
    pub fn closed(&self) -> Option<&'static str> {
        self.room.closed()
    }

    /// Whether something can be kept here; tried if the disk was full the last time.
    pub async fn check(&self) -> Result<(), &'static str> {
        if self.room.closed().is_some() {
            return Err(FULL_WORDS);
        }
        let (room, parts, was_full) = (self.room.clone(), self.parts_folder(), self.room.is_full());
        let tried = self.off_thread(move || room.guard(|| if was_full { files::try_to_write(&parts) } else { Ok(()) }));
        match tried.await {
            Err(error) if is_full(&error) => Err(FULL_WORDS),
            _ => Ok(()),
        }
    }

    /// Bytes of a log that are here; 0 when there is none.
    pub async fn size(&self, job: JobId, log: LogId) -> io::Result<u64> {
        let path = self.log_path(job, log);
        self.off_thread(move || Ok(open_log(&path)?.map_or(0, |(_, size)| size))).await
    }

    /// Writes `bytes`, which are the log's from offset `at` on, and returns the new size. What is already here is skipped;
    /// `at` beyond the end is an error. After a crash the log ends early but is right as far as it goes.
    pub async fn append(&self, job: JobId, log: LogId, at: u64, bytes: Vec<u8>) -> io::Result<u64> {
        let (path, sidecar) = (self.log_path(job, log), self.index_path(job, log));
        let room = self.room.clone();
        self.off_thread(move || {
            let size = room.guard(|| files::append(&path, at, &bytes))?;
            if LineIndex::gains(at, size) {
                keep_index(&path, &sidecar, size);
            }
            Ok(size)
        })
        .await
    }

    /// Puts a log safely on disk. Call it before the log is called complete.
    pub async fn sync(&self, job: JobId, log: LogId) -> io::Result<()> {
        let (path, root) = (self.log_path(job, log), Arc::clone(&self.data_dir));
        self.off_thread(move || files::sync(&path, &root)).await
    }

    /// Removes a job's logs and results; one of which nothing is here is fine.
    pub async fn remove_job(&self, job: JobId) -> io::Result<()> {
        let folder = self.job_folder(job);
        self.off_thread(move || files::remove_folder(&folder)).await
    }

    /// At most `limit` lines from number `from_line` (from 1) on; fewer where they are many bytes.
    pub async fn window(&self, job: JobId, log: LogId, from_line: u64, limit: u64) -> io::Result<Window> {
        let (path, sidecar) = (self.log_path(job, log), self.index_path(job, log));
        self.off_thread(move || {
            let Some((file, size)) = open_log(&path)? else {
                return Ok(Window::empty(from_line));
            };
            window::from_line(&file, &LineIndex::open(&file, &sidecar, size)?, from_line, limit)
        })
        .await
    }

    /// The last `limit` lines; fewer where they are many bytes.
    pub async fn tail(&self, job: JobId, log: LogId, limit: u64) -> io::Result<Window> {
        let mut tails = self.tails(job, vec![log], limit, |window| window).await?;
        Ok(tails.pop().unwrap_or_else(|| Window::empty(1)))
    }

    /// What is made of the last `limit` lines of each of a job's logs, one after the other.
    pub async fn tails<T: Send + 'static>(
        &self,
        job: JobId,
        logs: Vec<LogId>,
        limit: u64,
        make: fn(Window) -> T,
    ) -> io::Result<Vec<T>> {
        let store = self.clone();
        self.off_thread(move || logs.into_iter().map(|log| store.read_tail(job, log, limit).map(make)).collect()).await
    }

    fn read_tail(&self, job: JobId, log: LogId, limit: u64) -> io::Result<Window> {
        let Some((file, size)) = open_log(&self.log_path(job, log))? else {
            return Ok(Window::empty(1));
        };
        window::tail(&file, &LineIndex::open(&file, &self.index_path(job, log), size)?, limit)
    }

    /// The lines that contain `query`, in any case and whatever their colours: at most `limit` from line `from_line` on,
    /// with the total of the whole log. Ends early, with `next_from`, after 10 s or when the caller is gone.
    pub async fn search(&self, job: JobId, log: LogId, query: &str, from_line: u64, limit: u64) -> io::Result<Matches> {
        let Some(needle) = Needle::new(query) else {
            return Ok(Matches::default());
        };
        let (path, sidecar) = (self.log_path(job, log), self.index_path(job, log));
        let abandoned = CancellationToken::new();
        let _abandon_on_drop = abandoned.clone().drop_guard();
        self.off_thread(move || {
            let Some((file, size)) = open_log(&path)? else {
                return Ok(Matches::default());
            };
            let index = LineIndex::open(&file, &sidecar, size)?;
            let deadline = Instant::now() + SEARCH_LIMIT;
            let is_over = || abandoned.is_cancelled() || Instant::now() >= deadline;
            search::search(&file, &index, &needle, from_line, limit, is_over)
        })
        .await
    }

    /// A log for streaming; `None` when there is none.
    pub async fn open(&self, job: JobId, log: LogId) -> io::Result<Option<StoredFile>> {
        self.open_stored(self.log_path(job, log)).await
    }

    /// A result file of task `n` for streaming; `None` when there is none, also for a path that can't be one.
    pub async fn open_result(&self, job: JobId, n: i64, path: &str) -> io::Result<Option<StoredFile>> {
        match self.result_path(job, n, path) {
            Ok(path) => self.open_stored(path).await,
            Err(_) => Ok(None),
        }
    }

    /// Files block, also where nobody expects it (a network disk), so they are read and written off the async threads.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match &self.inline {
            Some(inline) => inline.run(work).await,
            None => tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?,
        }
    }

    async fn open_stored(&self, path: PathBuf) -> io::Result<Option<StoredFile>> {
        self.off_thread(move || {
            let Some((file, size)) = open_log(&path)? else {
                return Ok(None);
            };
            let is_file = file.metadata()?.is_file();
            Ok(is_file.then(|| StoredFile { file: file.into(), size }))
        })
        .await
    }

    /// A thousand jobs to a folder keeps every folder quick to list.
    fn job_folder(&self, job: JobId) -> PathBuf {
        self.data_dir.join("jobs").join((job.0 / sweep::JOBS_PER_FOLDER).to_string()).join(job.to_string())
    }

    fn log_path(&self, job: JobId, log: LogId) -> PathBuf {
        self.job_folder(job).join(match log {
            LogId::Queue => "queue.log".to_owned(),
            LogId::Task(n) => format!("task-{n}.log"),
        })
    }

    fn index_path(&self, job: JobId, log: LogId) -> PathBuf {
        self.log_path(job, log).with_extension("index")
    }

    fn result_path(&self, job: JobId, n: i64, path: &str) -> io::Result<PathBuf> {
        if !is_result_path(path) {
            let message = format!("\"{path}\" is not a valid path of a result file");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(self.job_folder(job).join("results").join(n.to_string()).join(path))
    }
}

/// Extends the index while the bytes are still in memory. It is only an aid, so it never makes an append fail.
fn keep_index(path: &Path, sidecar: &Path, size: u64) {
    if let Err(error) = File::open(path).and_then(|file| LineIndex::open(&file, sidecar, size)) {
        tracing::warn!(path = %path.display(), %error, "log can't be read back to index its lines");
    }
}

fn open_log(path: &Path) -> io::Result<Option<(File, u64)>> {
    match File::open(path) {
        Ok(file) => {
            let size = file.metadata()?.len();
            Ok(Some((file, size)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId(42_007);
    const LOG: LogId = LogId::Task(1);

    fn store() -> (tempfile::TempDir, LogStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::new(folder.path().to_owned(), KeepLimits::default());
        (folder, store)
    }

    fn lines(window: &Window) -> Vec<&str> {
        window.lines.iter().map(String::as_str).collect()
    }

    #[tokio::test]
    async fn a_log_that_has_not_begun_is_empty() {
        let (_folder, store) = store();
        assert_eq!(store.size(JOB, LOG).await.unwrap(), 0);
        assert_eq!(store.window(JOB, LOG, 5, 10).await.unwrap(), Window::empty(5));
        assert_eq!(store.tail(JOB, LOG, 10).await.unwrap(), Window::empty(1));
        assert_eq!(store.search(JOB, LOG, "x", 1, 10).await.unwrap(), Matches::default());
        assert!(store.open(JOB, LOG).await.unwrap().is_none());
        store.sync(JOB, LOG).await.unwrap();
        store.remove_job(JOB).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_appended_is_read_by_line() {
        let (_folder, store) = store();
        assert_eq!(store.append(JOB, LOG, 0, b"one\ntwo\nthr".to_vec()).await.unwrap(), 11);
        assert_eq!(store.append(JOB, LOG, 8, b"three\r\n\nfive".to_vec()).await.unwrap(), 20);
        let all = store.window(JOB, LOG, 1, 100).await.unwrap();
        assert_eq!((all.first, all.total, all.bytes), (1, 5, 20));
        assert_eq!(lines(&all), ["one", "two", "three", "", "five"]);
        assert_eq!(lines(&store.window(JOB, LOG, 2, 2).await.unwrap()), ["two", "three"]);
        assert_eq!(lines(&store.window(JOB, LOG, 6, 2).await.unwrap()), [""; 0]);
        let tail = store.tail(JOB, LOG, 2).await.unwrap();
        assert_eq!((tail.first, lines(&tail)), (4, vec!["", "five"]));
    }

    #[tokio::test]
    async fn logs_of_one_job_are_kept_apart_and_removed_together() {
        let (folder, store) = store();
        store.append(JOB, LogId::Queue, 0, b"queue".to_vec()).await.unwrap();
        store.append(JOB, LogId::Task(1), 0, b"one".to_vec()).await.unwrap();
        store.append(JobId(42_008), LogId::Task(1), 0, b"other".to_vec()).await.unwrap();
        let budget = Budget::new(100);
        let mut part = store.begin_result(JOB, 1, "a/b.xml", &budget).unwrap();
        assert!(part.write(b"<x/>").await);
        assert!(matches!(part.keep().await.unwrap(), Outcome::Kept(4)));
        assert_eq!(store.open_result(JOB, 1, "a/b.xml").await.unwrap().unwrap().size, 4);
        assert!(store.open_result(JOB, 1, "a").await.unwrap().is_none());
        assert!(store.open_result(JOB, 1, "../../task-1.log").await.unwrap().is_none());
        assert!(store.begin_result(JOB, 1, "../x", &budget).is_err());
        assert_eq!(store.size(JOB, LogId::Queue).await.unwrap(), 5);
        store.remove_job(JOB).await.unwrap();
        assert_eq!(store.size(JOB, LogId::Queue).await.unwrap(), 0);
        assert_eq!(store.size(JobId(42_008), LOG).await.unwrap(), 5);
        assert!(folder.path().join("jobs/42/42008/task-1.log").is_file());
    }

    #[tokio::test]
    async fn a_log_is_readable_where_no_index_can_be_kept() {
        let (folder, store) = store();
        std::fs::create_dir_all(folder.path().join("jobs/42/42007/task-1.index")).unwrap();
        let text: Vec<u8> = (1..=40_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        store.append(JOB, LOG, 0, text).await.unwrap();
        assert_eq!(lines(&store.window(JOB, LOG, 39_000, 1).await.unwrap()), ["line 39000"]);
    }
}
