//! Questions about the test repository beside a remote test server, asked over SSH with git.
//! Answers are remembered for a little while: a commit's scenarios never change, a branch's commit may.

use super::commands::Commands;
use super::listing::{self, ScenarioList};
use super::memory::Memory;
use super::shell::{Shell, describe_failure};
use super::ssh::SshError;
use crate::config::SshConfig;
use protocol::api::Branch;
use protocol::names;
use std::sync::Arc;
use std::time::Duration;

/// How long a branch's commit and the list of branches hold: long enough for the steps of one submission.
const BRANCH_KEEP: Duration = Duration::from_secs(5);
/// Branches remembered at once; a commit is 64 bytes at most.
const MAX_BRANCHES: usize = 1_000;
/// Scenario lists remembered at once; one may be some 100 KiB large.
const MAX_SCENARIO_LISTS: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    #[error("there is no branch \"{branch}\" in the repository")]
    BranchNotFound { branch: String },
    #[error("the branch changed while it was being read; try again")]
    BranchMoved,
    #[error("the commit is no longer in the repository")]
    CommitUnavailable,
    /// The server could not be asked, or could not answer; the text says what to do.
    #[error("{0}")]
    Unreachable(String),
}

/// The repository of one environment.
pub struct Repository {
    shell: Shell,
    commands: Commands,
    scenario_dir: String,
    branches: Memory<(), Vec<Branch>, QuestionError>,
    commits: Memory<String, String, QuestionError>,
    scenarios: Memory<String, Arc<ScenarioList>, QuestionError>,
}

impl Repository {
    pub fn new(ssh: &SshConfig, shell: Shell, commands: Commands) -> Self {
        Self {
            shell,
            commands,
            scenario_dir: ssh.scenario_dir.clone(),
            branches: Memory::new(BRANCH_KEEP, 1),
            commits: Memory::new(BRANCH_KEEP, MAX_BRANCHES),
            scenarios: Memory::new(Duration::MAX, MAX_SCENARIO_LISTS),
        }
    }

    /// All branches, `main` and `master` first, then by name; at most 5 s old.
    pub async fn branches(&self) -> Result<Vec<Branch>, QuestionError> {
        let ask = async { Ok(listing::branches(&self.read(self.commands.branches()).await?)) };
        self.branches.get((), ask).await
    }

    /// The branch's commit, at most 5 s old.
    pub async fn resolve(&self, branch: &str) -> Result<String, QuestionError> {
        if !names::is_branch_name(branch) {
            return Err(QuestionError::BranchNotFound { branch: branch.to_owned() });
        }
        self.commits.get(branch.to_owned(), self.ask_commit(branch)).await
    }

    /// The scenarios of a commit, which is fetched by its branch if the repository has it not yet.
    pub async fn scenarios(&self, branch: &str, commit: &str) -> Result<Arc<ScenarioList>, QuestionError> {
        if !names::is_branch_name(branch) {
            return Err(QuestionError::BranchNotFound { branch: branch.to_owned() });
        }
        if !names::is_commit(commit) {
            return Err(QuestionError::CommitUnavailable);
        }
        self.scenarios.get(commit.to_owned(), self.ask_scenarios(branch, commit)).await
    }

    pub async fn commit_is_present(&self, commit: &str) -> Result<bool, QuestionError> {
        if !names::is_commit(commit) {
            return Ok(false);
        }
        let command = self.commands.present(commit).map_err(QuestionError::Unreachable)?;
        let output = self.shell.run(command.clone()).await?;
        if output.exit_status == 0 {
            return Ok(true);
        }
        // Git names the commit when that is what it lacks; other words mean that it could not look.
        let lacks_commit = output.stderr.is_empty() || String::from_utf8_lossy(&output.stderr).contains(commit);
        if !lacks_commit {
            return Err(QuestionError::Unreachable(describe_failure(&command, &output)));
        }
        Ok(false)
    }

    async fn ask_commit(&self, branch: &str) -> Result<String, QuestionError> {
        let listing = self.read(self.commands.validate(branch)).await?;
        let commit = listing::commit_of(&listing, branch);
        commit.ok_or_else(|| QuestionError::BranchNotFound { branch: branch.to_owned() })
    }

    async fn ask_scenarios(&self, branch: &str, commit: &str) -> Result<Arc<ScenarioList>, QuestionError> {
        if !self.commit_is_present(commit).await? {
            self.fetch(branch, commit).await?;
        }
        let tree = self.read(self.commands.scenarios(branch, commit)).await?;
        Ok(Arc::new(listing::scenarios(&tree, &self.scenario_dir)))
    }

    /// Brings a branch's commit into the repository.
    async fn fetch(&self, branch: &str, commit: &str) -> Result<(), QuestionError> {
        let fetched = self.read(self.commands.fetch(branch, commit)).await;
        if fetched.is_ok() && self.commit_is_present(commit).await? {
            return Ok(());
        }
        let present_commit = self.commits.get_anew(branch.to_owned(), self.ask_commit(branch)).await?;
        if present_commit != commit {
            return Err(QuestionError::BranchMoved);
        }
        // The branch is where it was: so it is the fetch that does not work, or does not bring what it should.
        fetched.and(Err(QuestionError::CommitUnavailable))
    }

    async fn read(&self, command: Result<String, String>) -> Result<Vec<u8>, QuestionError> {
        let command = command.map_err(QuestionError::Unreachable)?;
        Ok(self.shell.run_successfully(command).await?)
    }
}

impl From<SshError> for QuestionError {
    fn from(error: SshError) -> Self {
        Self::Unreachable(error.to_string())
    }
}
