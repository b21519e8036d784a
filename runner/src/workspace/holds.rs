//! What keeps the commits of accepted queues from being cleared away: a ref of its own for each,
//! `refs/testarena/<queue>`, made before the queue is accepted and removed with it.

use super::LOCAL_LIMIT;
use super::Repository;
use super::clone_layout::CloneLayout;
use super::git::{Call, GitError};
use super::locks::remove_old_locks;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const FOLDER: &str = "refs/testarena/";
/// In the clone: the data folders of the runners that work from it, a line each.
const USERS: &str = "testarena-runners";

/// Git allows fewer names than queues may have. These have no `_`, so that one can stand for a dot.
fn ref_of(queue_id: &str) -> String {
    let is_odd = queue_id.starts_with('.')
        || queue_id.ends_with('.')
        || queue_id.contains("..")
        || queue_id.to_ascii_lowercase().ends_with(".lock");
    if is_odd { format!("{FOLDER}{}", queue_id.replace('.', "_")) } else { format!("{FOLDER}{queue_id}") }
}

impl Repository {
    pub async fn hold(&self, queue_id: &str, commit: &str) -> Result<(), GitError> {
        self.run(&["update-ref", &ref_of(queue_id), commit], LOCAL_LIMIT).await.map(drop)
    }

    /// A ref that can't be removed now goes at the next start.
    pub async fn release(&self, queue_id: &str) {
        if let Err(error) = self.run(&["update-ref", "-d", &ref_of(queue_id)], LOCAL_LIMIT).await {
            tracing::warn!(queue = queue_id, %error, "what holds the commit of queue {queue_id} stays for now");
        }
    }

    /// Puts the refs right after a crash or an accident: those of no queue go, and those of the given queues
    /// (their ids and commits) come back.
    /// Of a clone from which another runner works as well nothing is known to be nobody's.
    pub async fn put_holds_right(&self, queues: HashMap<String, String>, data_dir: &Path) -> Result<(), GitError> {
        self.remove_wreckage().await?;
        let (common_dir, own) = (self.clone_layout().await?.common_dir, data_dir.to_owned());
        let signed_in = tokio::task::spawn_blocking(move || sign_in(&common_dir, &own)).await;
        let others = signed_in.map_err(io::Error::from).flatten().unwrap_or_else(|error| {
            tracing::warn!(%error, "the clone can't be told who works from it; another runner may remove what is held");
            Vec::new()
        });
        let listing = self.run(&["for-each-ref", "--format=%(refname)", FOLDER], LOCAL_LIMIT).await?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let mut missing: HashMap<String, (&String, &String)> =
            queues.iter().map(|(id, commit)| (ref_of(id), (id, commit))).collect();
        let of_nobody: Vec<&str> = listing.lines().filter(|name| missing.remove(*name).is_none()).collect();
        // These first: what is in the way of a removal is in no new one's.
        for (id, commit) in missing.into_values() {
            if let Err(error) = self.hold(id, commit).await {
                tracing::warn!(queue = id, %error, "the commit of queue {id} can't be held");
            }
        }
        if of_nobody.is_empty() {
            return Ok(());
        }
        if let Some(other) = others.first() {
            let other = other.display();
            tracing::info!(%other, refs = of_nobody.len(), "refs that are no queue's here are left to another runner");
            return Ok(());
        }
        let input = of_nobody.iter().flat_map(|name| ["delete ", name, "\n"]).collect();
        let arguments = &["update-ref", "--stdin"];
        match self.git.call(Call { folder: &self.path, arguments, env: &[], input, limit: LOCAL_LIMIT }).await {
            Ok(_) => tracing::info!(refs = of_nobody.len(), "removed refs of queues that are not known any more"),
            Err(error) => tracing::warn!(%error, "refs of queues that are not known any more stay for now"),
        }
        Ok(())
    }

    /// Removes what a power cut or a crash has left of refs, and of work on the clone. With a ref that is none git fails every
    /// fetch and every clearing of the clone, and mends it never.
    async fn remove_wreckage(&self) -> Result<(), GitError> {
        let CloneLayout { git_dir, common_dir, .. } = self.clone_layout().await?;
        let removed = tokio::task::spawn_blocking(move || {
            remove_old_locks(&git_dir, &common_dir)
                + remove_files(&common_dir.join(FOLDER), is_lock)
                + remove_files(&common_dir.join("refs"), holds_nothing)
        });
        let removed = removed.await.map_err(io::Error::from)?;
        if removed > 0 {
            tracing::warn!(removed, "removed what a power cut or a crash had left in the clone");
        }
        Ok(())
    }
}

/// Notes that the runner with this data folder works from a clone, and returns the data folders of others that do and are
/// still there. Blocks.
fn sign_in(common_dir: &Path, data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let own = data_dir.canonicalize()?;
    let path = common_dir.join(USERS);
    let noted = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        noted => noted?,
    };
    let lines = noted.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let noted: Vec<PathBuf> = lines.map(|line| PathBuf::from(OsStr::from_bytes(line))).collect();
    if !noted.contains(&own) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path)?;
        file.write_all(&[own.as_os_str().as_bytes(), b"\n"].concat())?;
    }
    Ok(noted.into_iter().filter(|other| *other != own && other.is_dir()).collect())
}

/// In our own folder of refs nobody else is at work, so that a lock in it is a crash's.
fn is_lock(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "lock")
}

/// Of a lock this says nothing: git makes it empty, and writes into it.
fn holds_nothing(path: &Path) -> bool {
    !is_lock(path) && std::fs::read(path).is_ok_and(|text| text.iter().all(|byte| *byte == 0))
}

/// Removes files in a folder and those below it, and returns how many. One that stays keeps no other. Blocks.
fn remove_files(folder: &Path, is_wreckage: fn(&Path) -> bool) -> usize {
    let mut removed = 0;
    // A folder that is not there holds none.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_dir() {
            removed += remove_files(&path, is_wreckage);
        } else if kind.is_file() && is_wreckage(&path) {
            match std::fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) => tracing::warn!(path = %path.display(), %error, "what a crash has left can't be removed"),
            }
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_has_a_ref_that_git_allows() {
        for (id, name) in [
            ("42", "refs/testarena/42"),
            ("lab.42", "refs/testarena/lab.42"),
            ("a..b", "refs/testarena/a__b"),
            (".a", "refs/testarena/_a"),
            ("a.", "refs/testarena/a_"),
            ("x.y.lock", "refs/testarena/x_y_lock"),
        ] {
            assert_eq!(ref_of(id), name);
        }
    }
}
