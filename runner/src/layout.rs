//! Where a queue's files lie: logs and results below the data folder, the checkout below the workspace root.
//! Queue ids are letters, digits and dots, so that each is one folder's name.

use crate::config::Config;
use protocol::size::in_units;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where less is free, in bytes, a disk counts as full: no queue can be expected to run there.
const MIN_FREE: u64 = 16 * 1024 * 1024;
/// Takes room for a moment, to see whether there is some. No queue's folder has a `-` in its name.
const TRIAL: &str = ".testarena-room";

#[derive(Clone, Debug)]
pub struct Layout {
    data_dir: PathBuf,
    workspace_root: PathBuf,
}

impl Layout {
    pub fn new(config: &Config) -> Self {
        Self { data_dir: config.data_dir.clone(), workspace_root: config.workspace_root.clone() }
    }

    /// Makes the folders that everything lies in.
    pub fn create(&self) -> io::Result<()> {
        for folder in [self.data_dir.join("logs"), self.results_root(), self.workspace_root.clone()] {
            std::fs::create_dir_all(&folder)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
        }
        Ok(())
    }

    pub fn database(&self) -> PathBuf {
        self.data_dir.join("runner.db")
    }

    /// Held locked while a runner works on this data folder.
    pub fn lock(&self) -> PathBuf {
        self.data_dir.join("runner.lock")
    }

    /// Holds the name of the machine's start during which the runner has last started.
    pub fn boot(&self) -> PathBuf {
        self.data_dir.join("boot")
    }

    pub fn workspace_root(&self) -> &Path {
        &self.workspace_root
    }

    pub fn workspace(&self, queue_id: &str) -> PathBuf {
        self.workspace_root.join(queue_id)
    }

    pub fn logs(&self, queue_id: &str) -> PathBuf {
        self.data_dir.join("logs").join(queue_id)
    }

    pub fn queue_log(&self, queue_id: &str) -> PathBuf {
        self.logs(queue_id).join("queue.log")
    }

    pub fn task_log(&self, queue_id: &str, n: i32) -> PathBuf {
        self.logs(queue_id).join(format!("{n}.log"))
    }

    /// The folder below which tasks can't change what a path means, except in their own results folder.
    pub fn results_root(&self) -> PathBuf {
        self.data_dir.join("results")
    }

    pub fn results_of_queue(&self, queue_id: &str) -> PathBuf {
        self.results_root().join(queue_id)
    }

    pub fn results(&self, queue_id: &str, n: i32) -> PathBuf {
        self.results_of_queue(queue_id).join(n.to_string())
    }

    /// Which disk is full, in words, if one is. One that can't be asked is not taken for full. Blocks.
    pub fn find_full_disk(&self) -> Option<String> {
        // Logs and results may lie elsewhere, by a link.
        let logs = self.data_dir.join("logs");
        [self.data_dir.clone(), logs, self.results_root(), self.workspace_root.clone()]
            .into_iter()
            .find_map(|folder| full_in_words(&folder))
    }

    /// Whether there is no room for checkouts, also by a quota, of which a disk tells nothing until it takes hold. Blocks.
    pub fn is_out_of_room(&self) -> bool {
        self.find_full_disk().is_some() || !takes(&self.workspace_root, MIN_FREE)
    }

    /// Whether there are files of other queues; so there are where nobody can say. Blocks.
    pub fn has_files_of_others(&self, queue_id: &str) -> bool {
        let has_others = |folder: PathBuf| {
            let Ok(mut entries) = std::fs::read_dir(folder) else { return true };
            entries.any(|entry| entry.map_or(true, |entry| entry.file_name() != *queue_id))
        };
        [self.data_dir.join("logs"), self.results_root(), self.workspace_root.clone()].into_iter().any(has_others)
    }

    /// Removes everything of a queue. Blocks.
    pub fn remove_queue(&self, queue_id: &str) -> io::Result<()> {
        remove_tree(&self.workspace(queue_id))?;
        remove_tree(&self.results_of_queue(queue_id))?;
        remove_tree(&self.logs(queue_id))
    }
}

fn full_in_words(folder: &Path) -> Option<String> {
    let at = folder.display();
    match statvfs(folder) {
        // Some file systems tell no size at all.
        Ok(disk) if disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < MIN_FREE => {
            Some(format!("less than {} are free at {at}", in_units(MIN_FREE)))
        }
        // Some tell nothing true of this, so it is tried.
        Ok(disk) if disk.f_files > 0 && disk.f_favail == 0 && !takes(folder, 0) => {
            Some(format!("the disk has room for no more files at {at}"))
        }
        // It is made when something is put there.
        Ok(_) | Err(Errno::NOENT) => None,
        Err(error) => {
            tracing::warn!(folder = %at, %error, "the disk at {at} can't be asked for its room");
            None
        }
    }
}

/// Whether a folder has room for a file of so many bytes. Where that can't be tried it is believed. Blocks.
fn takes(folder: &Path, bytes: u64) -> bool {
    let trial = folder.join(TRIAL);
    let tried = File::create(&trial).and_then(|file| match bytes {
        0 => Ok(()),
        bytes => Ok(fallocate(file, FallocateFlags::empty(), 0, bytes)?),
    });
    // One that could not be made is not there.
    let _removed = std::fs::remove_file(&trial);
    !tried.is_err_and(|error| tells_of_full_disk(&error))
}

/// Whether it is the disk that refuses, and not the file.
pub fn tells_of_full_disk(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Like `rm -rf`, but also where a scenario left folders without write permission. Blocks.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match remove(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_folders_writable(path)?;
            remove(path)
        }
        other => other,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let result = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn make_folders_writable(path: &Path) -> io::Result<()> {
    // Of a link, this would change what it leads to.
    if !std::fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(path)? {
        make_folders_writable(&entry?.path())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_tells_no_size_is_not_full() {
        let nowhere = PathBuf::from("/proc/nowhere");
        let layout = Layout { data_dir: PathBuf::from("/proc"), workspace_root: nowhere };
        assert_eq!(layout.find_full_disk(), None);
    }

    #[test]
    fn a_tree_goes_whole_and_nothing_that_it_links_to() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, kept) = (folder.path().join("tree"), folder.path().join("kept"));
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("file"), "").unwrap();
        std::fs::write(tree.join("a/b/file"), "").unwrap();
        std::os::unix::fs::symlink(&kept, tree.join("a/link")).unwrap();
        for locked in ["a/b", "a"] {
            std::fs::set_permissions(tree.join(locked), std::fs::Permissions::from_mode(0o500)).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && kept.join("file").exists());
        remove_tree(&tree).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        remove_tree(&link).unwrap();
        assert!(!link.is_symlink() && kept.join("file").exists());
    }
}
