//! Whether there is room on the disk of `data_dir`. The database usually lies on the same disk, so logs stop before the
//! last of it is taken; and a full disk is tried again with growing pauses, which are kept here, since a full disk keeps nothing.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Left free for the database and others: a twentieth of the disk, and of a large one so much.
const LARGEST_RESERVE: u64 = 256 * 1024 * 1024;
const RESERVED_PART: u64 = 20;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Cheap to clone; all clones know the same.
#[derive(Clone, Debug)]
pub(super) struct Room {
    folder: Arc<Path>,
    full: Arc<Mutex<Option<Full>>>,
}

#[derive(Clone, Copy, Debug)]
struct Full {
    pause: Duration,
    until: Instant,
}

impl Room {
    pub(super) fn new(folder: Arc<Path>) -> Self {
        Self { folder, full: Arc::default() }
    }

    /// Does what needs room, if there is some, and notes what came of it. Blocks.
    pub(super) fn guard<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let done = self.check_free().and_then(|()| work());
        match &done {
            Ok(_) => self.note_room(Instant::now()),
            Err(error) if is_full(error) => self.note_full(Instant::now()),
            Err(_) => {}
        }
        done
    }

    /// Why nothing is to be written now; `None` also when the pause is over and it may be tried again.
    pub(super) fn closed(&self) -> Option<&'static str> {
        let waits = self.locked().is_some_and(|full| Instant::now() < full.until);
        waits.then_some(FULL_WORDS)
    }

    /// Whether the disk was full when something was last written, and is not known to have room again.
    pub(super) fn is_full(&self) -> bool {
        self.locked().is_some()
    }

    fn note_room(&self, now: Instant) {
        // On a full disk little things still fit; only what is tried after the pause tells.
        let mut full = self.locked();
        *full = full.filter(|full| now < full.until);
    }

    fn note_full(&self, now: Instant) {
        let mut full = self.locked();
        // Several that fail at once are one failure.
        if full.is_some_and(|full| now < full.until) {
            return;
        }
        let pause = full.map_or(FIRST_PAUSE, |full| (full.pause * 2).min(LONGEST_PAUSE));
        *full = Some(Full { pause, until: now + pause });
        drop(full);
        tracing::error!(data_dir = %self.folder.display(), "{FULL_WORDS}");
    }

    fn check_free(&self) -> io::Result<()> {
        let there = self.folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let disk = rustix::fs::statvfs(there)?;
        let (free, all) = (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
        if free < reserve(all) {
            return Err(io::Error::new(ErrorKind::StorageFull, FULL_WORDS));
        }
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Option<Full>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) const FULL_WORDS: &str = "the disk of data_dir is full; it goes on when there is room again";

/// Whether it is the disk that refuses, and not the file.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn reserve(disk_bytes: u64) -> u64 {
    (disk_bytes / RESERVED_PART).min(LARGEST_RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_left_alone_for_longer_and_longer_until_something_fits() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::new(folder.path().into());
        let mut now = Instant::now();
        for pause in [5, 10, 20, 40, 60, 60] {
            room.note_full(now);
            room.note_full(now);
            assert_eq!(room.locked().unwrap().until, now + Duration::from_secs(pause));
            now += Duration::from_secs(pause);
        }
        assert_eq!((room.is_full(), room.closed()), (true, Some(FULL_WORDS)));
        room.note_room(now - Duration::from_millis(1));
        assert!(room.is_full());
        room.note_room(now);
        assert_eq!((room.is_full(), room.closed()), (false, None));
        room.guard(|| io::Result::<()>::Err(ErrorKind::PermissionDenied.into())).unwrap_err();
        assert!(!room.is_full(), "another failure says nothing of the disk");
        room.guard(|| io::Result::<()>::Err(ErrorKind::QuotaExceeded.into())).unwrap_err();
        assert!(room.is_full());
    }

    #[test]
    fn little_is_kept_free_of_a_small_disk_and_enough_of_a_large_one() {
        assert_eq!(reserve(20 * 1024 * 1024), 1024 * 1024);
        assert_eq!(reserve(1 << 40), LARGEST_RESERVE);
    }
}
