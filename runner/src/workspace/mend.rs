//! A clone that lacks objects, or holds them damaged, after a power cut or on a failing disk. An ordinary fetch brings
//! nothing of a commit that is here, so that each queue would fail for good: all of its branch is fetched anew instead.

use super::clone_layout::quoted;
use super::fetch::{FETCH, FETCH_LIMIT};
use super::git::GitError;
use super::{ORIGIN_LIMIT, Repository};
use protocol::names::is_commit;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

/// What has not helped is not done again before that: it costs as much as a new clone.
const AGAIN_AFTER: Duration = Duration::from_hours(1);
/// After a power cut the source may come back later than the bench.
const AGAIN_AFTER_FAILURE: Duration = Duration::from_mins(5);
/// What git ends with at an option that it does not know.
const WRONG_USAGE: i32 = 129;
/// Git's words about objects that are named in others and can't be read.
const DAMAGE: [&str; 9] = [
    "unable to read sha1 file",
    "unable to read tree",
    "not a tree object",
    "failed to unpack tree object",
    "error: object file ",
    " is corrupt",
    "cannot read existing object",
    "fatal: bad object ",
    "multi-pack-index signature",
];

/// Of each branch when it was last fetched anew, and why that failed. Held while one is.
#[derive(Clone, Debug, Default)]
pub(super) struct Mending(Arc<Mutex<HashMap<String, Tried>>>);

#[derive(Debug)]
struct Tried {
    at: Instant,
    again_after: Duration,
    failure: Option<String>,
}

/// Whether git failed for want of objects. A commit that is not here at all sounds the same.
pub(super) fn tells_of_damage(error: &GitError) -> bool {
    // A damaged source says so on our standard error as well, over SSH and by a path.
    let is_of_source = |line: &str| line.contains("git upload-pack: ") || line.starts_with("fatal: remote error: ");
    matches!(error, GitError::Failed { complaint, .. }
        if complaint.lines().any(is_of_damage) && !complaint.lines().any(is_of_source))
}

fn is_of_damage(line: &str) -> bool {
    // The source may be damaged as well, and says so by way of git.
    let is_ours = !line.starts_with("remote: ");
    is_ours
        && (DAMAGE.iter().any(|words| line.contains(words))
            || line.strip_prefix("error: Could not read ").is_some_and(is_commit)
            // Of what a ref names.
            || line.strip_prefix("fatal: object ").and_then(|rest| rest.strip_suffix(" not found")).is_some_and(is_commit))
}

impl Repository {
    /// After git has told of damage: fetches a branch anew, or the clone's own choice of branches, and tries once more.
    pub(super) async fn mend_and<T>(
        &self,
        branch: Option<&str>,
        patience: Duration,
        again: impl Future<Output = Result<T, GitError>>,
    ) -> Result<T, GitError> {
        // No branch has an empty name.
        let mended = self.mend(branch.unwrap_or_default(), patience).await;
        if let Err(error @ GitError::GoesOn { .. }) = mended {
            return Err(error);
        }
        let error = match again.await {
            Err(error) if tells_of_damage(&error) => error,
            other => return other,
        };
        let failure =
            mended.err().map(|error| format!("fetching the objects anew failed: {error}\n")).unwrap_or_default();
        let advice = self.advice().await?;
        Err(match error {
            GitError::Failed { command, code, complaint } => {
                GitError::Failed { command, code, complaint: format!("{complaint}\n{failure}{advice}") }
            }
            error => error,
        })
    }

    /// What takes longer goes on, for the one who asks next.
    async fn mend(&self, branch: &str, patience: Duration) -> Result<(), GitError> {
        let mend = async {
            let mut tried = self.mending.0.clone().lock_owned().await;
            tried.retain(|_, tried| tried.at.elapsed() < tried.again_after);
            match tried.get(branch) {
                Some(Tried { failure: None, .. }) => Ok(()),
                Some(Tried { failure: Some(complaint), .. }) => {
                    Err(GitError::Failed { command: "fetch".to_owned(), code: None, complaint: complaint.clone() })
                }
                None => {
                    let fetch = tokio::spawn(self.clone().fetch_anew(branch.to_owned(), tried));
                    fetch.await.map_err(io::Error::from)?
                }
            }
        };
        let command = "fetch of what the clone lacks".to_owned();
        let goes_on = || GitError::GoesOn { command, limit: patience, last: None };
        timeout(patience, mend).await.unwrap_or_else(|_| Err(goes_on()))
    }

    async fn fetch_anew(
        self,
        branch: String,
        mut tried: OwnedMutexGuard<HashMap<String, Tried>>,
    ) -> Result<(), GitError> {
        tracing::warn!(branch, "the clone lacks objects of branch \"{branch}\"; all of it is fetched anew");
        let result = self.replace_objects(&branch).await;
        if let Err(error) = &result {
            tracing::error!(branch, %error, "the objects of branch \"{branch}\" could not be fetched anew");
        }
        let failure = result.as_ref().err().map(|error| match error {
            GitError::Failed { complaint, .. } => complaint.clone(),
            error => error.to_string(),
        });
        let is_settled = result.as_ref().map_or_else(tells_of_damage, |()| true);
        let again_after = if is_settled { AGAIN_AFTER } else { AGAIN_AFTER_FAILURE };
        tried.insert(branch, Tried { at: Instant::now(), again_after, failure });
        result
    }

    async fn replace_objects(&self, branch: &str) -> Result<(), GitError> {
        let objects = self.clone_layout().await?.common_dir.join("objects");
        let removed = tokio::task::spawn_blocking(move || remove_wreckage(&objects)).await;
        let removed = removed.map_err(io::Error::from).flatten()?;
        if removed > 0 {
            tracing::warn!(removed, "removed what stood in the clone in place of objects");
        }
        let name = format!("refs/heads/{branch}");
        let source = if branch.is_empty() { &[][..] } else { &[name.as_str()] };
        match self.run(&[&FETCH[..], &["--refetch", "origin"], source].concat(), FETCH_LIMIT).await {
            // Its words stand above the two thousand that are kept of all its options.
            Err(GitError::Failed { command, code: code @ Some(WRONG_USAGE), .. }) => {
                let complaint = "this git knows no `fetch --refetch`, 2.36 and newer do".to_owned();
                Err(GitError::Failed { command, code, complaint })
            }
            fetched => fetched.map(drop),
        }
    }

    /// For damage that no fetch mends: git reads what lies in a pack before it takes it anew, and fails over it.
    async fn advice(&self) -> Result<String, GitError> {
        let packs = self.clone_layout().await?.common_dir.join("objects/pack");
        let (damaged, repository) = (quoted(&packs.with_extension("damaged")), quoted(&self.path));
        let packs = quoted(&packs);
        Ok(format!(
            "the clone is damaged: stop the runner and run `mv {packs} {damaged} && mkdir {packs} && \
             git -C {repository} fetch --refetch origin`, or make the clone anew with `git clone URL {repository}`"
        ))
    }

    /// The branch whose last commit this is at the source.
    pub(super) async fn branch_of(&self, commit: &str) -> Result<Option<String>, GitError> {
        let listing = self.run(&["ls-remote", "--heads", "origin"], ORIGIN_LIMIT).await?;
        let listing = String::from_utf8_lossy(&listing);
        let name = listing.lines().find_map(|line| line.strip_prefix(commit)?.strip_prefix("\trefs/heads/"));
        Ok(name.map(str::to_owned))
    }
}

/// Removes files that stand in place of objects and hold nothing, and returns how many. Only where they are missing does
/// git take them from a fetch. Blocks.
fn remove_wreckage(objects: &Path) -> io::Result<usize> {
    let mut removed = 0;
    // Git makes it anew from the packs.
    let index_of_packs = objects.join("pack/multi-pack-index");
    if holds_nothing(&index_of_packs).unwrap_or(false) {
        std::fs::remove_file(index_of_packs)?;
        removed += 1;
    }
    for folder in std::fs::read_dir(objects)?.flatten() {
        if !is_hex(&folder, 2) {
            continue;
        }
        // Git clears its objects away meanwhile: what is gone is no wreckage.
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            // Not those that are just being written: their names are others.
            if (is_hex(&file, 38) || is_hex(&file, 62)) && holds_nothing(&file.path()).unwrap_or(false) {
                removed += usize::from(std::fs::remove_file(file.path()).is_ok());
            }
        }
    }
    Ok(removed)
}

fn is_hex(entry: &std::fs::DirEntry, length: usize) -> bool {
    let name = entry.file_name();
    name.len() == length && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit)
}

/// An object is compressed, and such a text begins with no zero. Blocks that were never written are full of them.
fn holds_nothing(path: &Path) -> io::Result<bool> {
    let mut first = [0];
    let count = File::open(path)?.read(&mut first)?;
    Ok(count == 0 || first == [0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_of_the_clone_that_can_not_be_read_are_damage() {
        for (line, expected) in [
            ("error: Could not read 92475343d448219cbd331aa35af63883afbc137a", true),
            ("fatal: Could not read from remote repository.", false),
            ("error: object file .git/objects/92/475343d448219cbd331aa35af63883afbc137a is empty", true),
            ("remote: error: object file objects/92/475343d448219cbd331aa35af63883afbc137a is empty", false),
            ("fatal: loose object 9247534 (stored in .git/objects/92/47534) is corrupt", true),
            ("fatal: couldn't find remote ref refs/heads/none", false),
        ] {
            assert_eq!(is_of_damage(line), expected, "{line}");
        }
    }
}
