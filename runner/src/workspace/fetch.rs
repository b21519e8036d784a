//! Fetching a branch from the source. What takes longer than a caller can wait goes on, for the one who asks next.

use super::Repository;
use super::git::GitError;
use super::mend::tells_of_damage;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// A first fetch of a big branch over a slow line. A line that is dead is given up after it.
pub(super) const FETCH_LIMIT: Duration = Duration::from_mins(10);
/// What is fetched comes as one pack, which is there whole or not at all. As loose objects a commit is there before its files
/// are, and a fetch that is cut off in between would leave a clone that takes itself for whole and fetches them never again.
/// Submodules belong to checkouts; to look for them, git reads an index that may be damaged and that nobody needs.
pub(super) const FETCH: [&str; 5] = ["-c", "fetch.unpackLimit=1", "fetch", "--quiet", "--no-recurse-submodules"];

type Turn = tokio::sync::Mutex<()>;

/// Branches whose last failure is remembered. Their names come from requests.
const MAX_FAILURES: usize = 100;

/// Of each branch one fetch at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    turns: HashMap<String, Weak<Turn>>,
    /// Why the last fetch of a branch failed.
    failures: HashMap<String, String>,
}

impl Turns {
    async fn take(&self, branch: &str) -> OwnedMutexGuard<()> {
        self.find(branch).lock_owned().await
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, branch: &str) -> Arc<Turn> {
        let turns = &mut self.lock().turns;
        turns.retain(|_, turn| turn.strong_count() > 0);
        let known = turns.get(branch).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turn = Arc::default();
            turns.insert(branch.to_owned(), Arc::downgrade(&turn));
            turn
        })
    }

    fn last_failure(&self, branch: &str) -> Option<String> {
        self.lock().failures.get(branch).cloned()
    }

    fn note(&self, branch: String, fetched: &Result<(), GitError>) {
        let failures = &mut self.lock().failures;
        let Err(error) = fetched else {
            failures.remove(&branch);
            return;
        };
        if failures.len() >= MAX_FAILURES {
            failures.clear();
        }
        failures.insert(branch, error.to_string());
    }
}

impl Repository {
    /// Fetches a branch that lacks this commit.
    pub(super) async fn fetch(&self, branch: &str, commit: &str, patience: Duration) -> Result<(), GitError> {
        let fetch = async {
            let turn = self.turns.take(branch).await;
            if self.look_up(branch, commit).await?.0 {
                return Ok(());
            }
            let fetch = tokio::spawn(self.clone().fetch_whole(branch.to_owned(), turn));
            fetch.await.map_err(io::Error::from)?
        };
        timeout(patience, fetch).await.unwrap_or_else(|_| {
            let last = self.turns.last_failure(branch);
            Err(GitError::GoesOn { command: "fetch".to_owned(), limit: patience, last })
        })
    }

    /// Fetches a branch as it is now. Goes on when nobody waits any more: who asks next finds what it has brought.
    pub async fn fetch_branch(&self, branch: &str) -> Result<(), GitError> {
        let turn = self.turns.take(branch).await;
        let fetch = tokio::spawn(self.clone().fetch_whole(branch.to_owned(), turn));
        fetch.await.map_err(io::Error::from)?
    }

    async fn fetch_whole(self, branch: String, _turn: OwnedMutexGuard<()>) -> Result<(), GitError> {
        let source = format!("refs/heads/{branch}");
        let fetch = |extra: &'static [&'static str]| {
            let arguments = [&FETCH[..], extra, &["origin", &source]].concat();
            let git = &self;
            async move { git.run(&arguments, FETCH_LIMIT).await }
        };
        let fetched = match fetch(&[]).await {
            Err(error) if tells_of_damage(&error) => self.mend_and(Some(&branch), FETCH_LIMIT, fetch(&[])).await,
            // Then without the names that the clone keeps for the source's branches.
            Err(error) if refuses_to_update(&error) => fetch(&["--refmap="]).await,
            fetched => fetched,
        };
        let fetched = fetched.map(drop);
        if let Err(error) = &fetched {
            tracing::warn!(branch, %error, "a fetch of branch \"{branch}\" failed");
        }
        self.turns.note(branch, &fetched);
        fetched
    }
}

/// A clone that is set to keep its own branches like the source's, and has one of them checked out.
fn refuses_to_update(error: &GitError) -> bool {
    matches!(error, GitError::Failed { complaint, .. } if complaint.contains("refusing to fetch into"))
}
