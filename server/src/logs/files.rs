//! Writing to the mirror: appending so that a crash leaves a correct prefix, syncing, removing.
//! All of it blocks: the callers bring a thread for it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

/// Writes what is new of `bytes`, which begin at offset `at`; returns the new size.
pub(super) fn append(path: &Path, at: u64, bytes: &[u8]) -> io::Result<u64> {
    let mut file = open_for_append(path)?;
    let size = file.metadata()?.len();
    let Some(already_here) = size.checked_sub(at) else {
        let message = format!("the log has {size} bytes, so bytes from offset {at} would leave a hole");
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    };
    let already_here = usize::try_from(already_here).unwrap_or(usize::MAX).min(bytes.len());
    let new = &bytes[already_here..];
    if new.is_empty() {
        return Ok(size);
    }
    // At a position, not in append mode: two who mirror the same log at once then write the same bytes to the same place.
    file.seek(SeekFrom::Start(size))?;
    file.write_all(new)?;
    Ok(size + new.len() as u64)
}

fn open_for_append(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create(true).truncate(false).open(path);
    match (open(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == ErrorKind::NotFound => {
            std::fs::create_dir_all(folder)?;
            open()
        }
        (opened, _) => opened,
    }
}

/// Syncs a log and the folders that name it, up to `root`. A log that has no bytes has no file either.
pub(super) fn sync(path: &Path, root: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Whether a small file can be written.
pub(super) fn try_to_write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&[0; 4096])?;
    file.as_file().sync_all()
}

pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_appended_once_however_often_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("7/task-1.log");
        assert_eq!(append(&log, 0, b"hello ").unwrap(), 6);
        assert_eq!(append(&log, 0, b"hello ").unwrap(), 6);
        assert_eq!(append(&log, 3, b"lo world").unwrap(), 11);
        assert_eq!(append(&log, 11, b"").unwrap(), 11);
        assert_eq!(std::fs::read(&log).unwrap(), b"hello world");
    }

    #[test]
    fn a_piece_beyond_the_end_is_refused_and_leaves_no_hole() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("task-1.log");
        append(&log, 0, b"abc").unwrap();
        assert_eq!(append(&log, 4, b"x").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(std::fs::read(&log).unwrap(), b"abc");
    }

    #[test]
    fn a_log_without_bytes_can_be_synced() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("jobs/0/7/task-1.log");
        sync(&log, folder.path()).unwrap();
        append(&log, 0, b"abc").unwrap();
        sync(&log, folder.path()).unwrap();
    }
}
