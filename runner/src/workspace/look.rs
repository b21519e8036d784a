//! A look over the clone at the runner's start, before anybody needs what a power cut may have taken. Where TestArena reads
//! the clone through the system's sshd it would send no queue by which the runner came to meet the damage.

use super::fetch::FETCH_LIMIT;
use super::git::{Call, GitError};
use super::mend::tells_of_damage;
use super::{LOCAL_LIMIT, Repository};
use std::time::Duration;

/// Thousands of branches are looked at within a tenth of a second, where the disk is no memory card.
const LOOK_LIMIT: Duration = Duration::from_mins(2);
/// `git config --get-regexp` found nothing.
const NO_SUCH_KEY: i32 = 1;

impl Repository {
    /// Looks whether the scenarios of each branch can be listed, and mends the clone where they can't.
    pub async fn look_over(&self) -> Result<(), GitError> {
        // What that lacks by right is not to be told from what it has lost.
        if self.is_partial().await? {
            return Ok(());
        }
        match self.list_scenarios_of_all().await {
            Err(error) if tells_of_damage(&error) || tells_of_lost_commit(&error) => {
                self.mend_and(None, FETCH_LIMIT, self.list_scenarios_of_all()).await
            }
            // It would be no quicker the next time.
            Err(error @ GitError::TimedOut { .. }) => {
                tracing::warn!(%error, "the clone could not be looked over");
                Ok(())
            }
            looked => looked,
        }
    }

    async fn is_partial(&self) -> Result<bool, GitError> {
        let keys = ["config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$"];
        match self.run(&keys, LOCAL_LIMIT).await {
            Ok(_) => Ok(true),
            Err(GitError::Failed { code: Some(NO_SUCH_KEY), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The last commit of each branch and its folders of scenarios are read, and no history.
    async fn list_scenarios_of_all(&self) -> Result<(), GitError> {
        let tips = ["for-each-ref", "--format=%(objectname)", "refs/heads", "refs/remotes/origin"];
        let tips = self.run(&tips, LOCAL_LIMIT).await?;
        let input = String::from_utf8_lossy(&tips).into_owned();
        let arguments = &["rev-list", "--quiet", "--objects", "--no-walk", "--stdin", "--", &self.scenario_dir];
        let call = Call { folder: &self.path, arguments, env: &[], input, limit: LOOK_LIMIT };
        self.git.call(call).await.map(drop)
    }
}

fn tells_of_lost_commit(error: &GitError) -> bool {
    matches!(error, GitError::Failed { complaint, .. } if complaint.contains("fatal: bad object "))
}
