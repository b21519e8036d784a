//! What keeps the commits of accepted queues from being cleared away: a ref of its own for each,
//! `refs/testarena/<queue>`, made before the queue is accepted and removed with it.

use super::LOCAL_LIMIT;
use super::Repository;
use super::git::{Call, GitError};
use std::collections::HashMap;

const FOLDER: &str = "refs/testarena/";

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
    pub async fn put_holds_right(&self, queues: HashMap<String, String>) -> Result<(), GitError> {
        self.remove_locks().await?;
        let listing = self.run(&["for-each-ref", "--format=%(refname)", FOLDER], LOCAL_LIMIT).await?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let mut missing: HashMap<String, (&String, &String)> =
            queues.iter().map(|(id, commit)| (ref_of(id), (id, commit))).collect();
        let of_nobody: Vec<&str> = listing.lines().filter(|name| missing.remove(*name).is_none()).collect();
        if !of_nobody.is_empty() {
            let input = of_nobody.iter().flat_map(|name| ["delete ", name, "\n"]).collect();
            let arguments = &["update-ref", "--stdin"];
            self.git.call(Call { folder: &self.path, arguments, env: &[], input, limit: LOCAL_LIMIT }).await?;
            tracing::info!(refs = of_nobody.len(), "removed refs of queues that are not known any more");
        }
        for (id, commit) in missing.into_values() {
            if let Err(error) = self.hold(id, commit).await {
                tracing::warn!(queue = id, %error, "the commit of queue {id} can't be held");
            }
        }
        Ok(())
    }

    /// In this folder of refs nobody else is at work, so that a lock in it is a crash's.
    async fn remove_locks(&self) -> Result<(), GitError> {
        let folder = self.clone_layout().await?.common_dir.join(FOLDER);
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Ok(());
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "lock") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
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
