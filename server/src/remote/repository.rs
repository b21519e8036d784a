//! Questions about the test repository beside a remote test server, asked over SSH with git.
//! Answers are remembered for a little while: a commit's scenarios never change, a branch's commit may.

use super::Failure;
use super::commands::Commands;
use super::listing::{self, Odd, ScenarioList};
use super::memory::Memory;
use super::output::{first_words, last_words, stdout_of, tells_of_altering};
use super::shell::Shell;
use super::silence::{believe_absence, believe_presence, believe_silence};
use super::ssh::Output;
use super::ssh_state::Purpose;
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
    /// The server could not be asked, or could not answer; the private text says what to do.
    #[error("{0}")]
    Unreachable(Failure),
}

impl QuestionError {
    /// For admins and the log.
    pub fn private(&self) -> String {
        match self {
            Self::Unreachable(failure) => failure.private().to_owned(),
            other => other.to_string(),
        }
    }
}

/// What a server says of whether it has a commit.
enum Presence {
    /// Though it names the commit, as git does of one that it lacks?
    There {
        is_named: bool,
    },
    Lacking,
    /// The command failed and said nothing.
    Wordless {
        command: String,
        output: Output,
    },
}

impl Presence {
    const fn is_there(&self) -> bool {
        matches!(self, Self::There { .. })
    }
}

/// The repository of one environment.
pub struct Repository {
    shell: Shell,
    commands: Commands,
    scenario_dir: String,
    branches: Memory<(), Arc<Vec<Branch>>, QuestionError>,
    commits: Memory<String, String, QuestionError>,
    scenarios: Memory<String, Arc<ScenarioList>, QuestionError>,
}

impl Repository {
    pub fn new(ssh: &SshConfig, shell: Shell, commands: Commands) -> Self {
        Self {
            shell,
            commands,
            scenario_dir: ssh.scenario_dir.clone(),
            branches: Memory::new(|_| BRANCH_KEEP, 1),
            commits: Memory::new(|_| BRANCH_KEEP, MAX_BRANCHES),
            scenarios: Memory::new(keep_of_scenarios, MAX_SCENARIO_LISTS),
        }
    }

    /// All branches, `main` and `master` first, then by name; at most 5 s old.
    pub async fn branches(&self) -> Result<Arc<Vec<Branch>>, QuestionError> {
        self.branches.get((), self.ask_branches()).await
    }

    /// All branches as they are now.
    pub async fn branches_now(&self) -> Result<Arc<Vec<Branch>>, QuestionError> {
        self.branches.get_anew((), self.ask_branches()).await
    }

    /// The branch's commit, at most 5 s old.
    pub async fn resolve(&self, branch: &str) -> Result<String, QuestionError> {
        if !names::is_branch_name(branch) {
            return Err(QuestionError::BranchNotFound { branch: branch.to_owned() });
        }
        self.commits.get(branch.to_owned(), self.ask_commit(branch)).await
    }

    /// The branch's commit and that commit's scenarios. A branch that moves meanwhile is read once more.
    pub async fn read_branch(&self, branch: &str) -> Result<(String, Arc<ScenarioList>), QuestionError> {
        let commit = self.resolve(branch).await?;
        match self.scenarios(branch, &commit).await {
            Err(QuestionError::BranchMoved) => {}
            read => return read.map(|list| (commit, list)),
        }
        let commit = self.resolve(branch).await?;
        let list = self.scenarios(branch, &commit).await?;
        Ok((commit, list))
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

    /// Whether the commit is there, of a server of which it is seen that it runs what it is asked.
    pub async fn commit_is_present(&self, commit: &str) -> Result<bool, QuestionError> {
        if !names::is_commit(commit) {
            return Ok(false);
        }
        let said = self.ask_presence(commit).await?;
        let believed = match &said {
            Presence::There { is_named } => believe_presence(&self.shell, &self.commands, *is_named).await,
            Presence::Lacking => Ok(()),
            Presence::Wordless { command, output } => {
                believe_absence(&self.shell, &self.commands, command, output).await
            }
        };
        believed.map(|()| said.is_there()).map_err(QuestionError::Unreachable)
    }

    /// What the server says of a commit, for whoever is going to see whether that was right.
    async fn ask_presence(&self, commit: &str) -> Result<Presence, QuestionError> {
        let read = |command: &str, output: &Output| {
            let is_named = String::from_utf8_lossy(&output.stderr).contains(commit);
            if output.exit_status == 0 && !output.is_cut {
                return Ok(Presence::There { is_named });
            }
            // Git names the commit when that is what it lacks; other words mean that it could not look.
            if is_named && !output.is_cut && !tells_of_altering(output, commit) {
                return Ok(Presence::Lacking);
            }
            if output.stderr.is_empty() && !output.is_cut {
                return Ok(Presence::Wordless { command: command.to_owned(), output: output.clone() });
            }
            stdout_of(command, output).map(|_| Presence::Lacking)
        };
        self.ask(self.commands.present(commit), read).await
    }

    async fn ask_branches(&self) -> Result<Arc<Vec<Branch>>, QuestionError> {
        let read = |command: &str, output: &Output| {
            // The server has done what it was asked; nobody could read a longer list either.
            if output.is_cut && listing::begins_with_refs(&output.stdout) {
                return Ok(None);
            }
            let listing = stdout_of(command, output)?;
            listing::branches(listing).map(Some).map_err(|odd| talkative(command, &odd))
        };
        let branches = self.ask(self.commands.branches(), read).await?;
        self.believe_silence_of(branches.as_ref().is_some_and(Vec::is_empty)).await?;
        let too_many = || format!("{} has too many branches to list them; give the name of one", self.shell.name());
        branches.map(Arc::new).ok_or_else(|| QuestionError::Unreachable(too_many().into()))
    }

    async fn ask_commit(&self, branch: &str) -> Result<String, QuestionError> {
        let read = |command: &str, output: &Output| {
            let listing = stdout_of(command, output)?;
            listing::commit_of(listing, branch).map_err(|odd| talkative(command, &odd))
        };
        let commit = self.ask(self.commands.validate(branch), read).await?;
        self.believe_silence_of(commit.is_none()).await?;
        commit.ok_or_else(|| QuestionError::BranchNotFound { branch: branch.to_owned() })
    }

    async fn ask_scenarios(&self, branch: &str, commit: &str) -> Result<Arc<ScenarioList>, QuestionError> {
        if !self.ask_presence(commit).await?.is_there() {
            self.fetch(branch, commit).await?;
        }
        let read = |command: &str, output: &Output| {
            let tree = stdout_of(command, output)?;
            listing::scenarios(tree, &self.scenario_dir).map_err(|odd| talkative(command, &odd))
        };
        let list = self.ask(self.commands.scenarios(branch, commit), read).await?;
        self.believe_silence_of(list == ScenarioList::default()).await?;
        Ok(Arc::new(list))
    }

    /// That there is nothing is only believed of a server of which one would hear if there were something.
    async fn believe_silence_of(&self, is_silent: bool) -> Result<(), QuestionError> {
        if !is_silent {
            return Ok(());
        }
        believe_silence(&self.shell, &self.commands).await.map_err(QuestionError::Unreachable)
    }

    /// Brings a branch's commit into the repository.
    async fn fetch(&self, branch: &str, commit: &str) -> Result<(), QuestionError> {
        // A fetch may bring the commit and fail afterwards, at a ref that it can't update: what counts is what is there.
        let end = |command: &str, output: &Output| Ok(brought_nothing(command, output));
        let (reason, is_told) = self.ask(self.commands.fetch(branch, commit), end).await?;
        if self.ask_presence(commit).await?.is_there() {
            return Ok(());
        }
        let commit_now = self.commits.get_anew(branch.to_owned(), self.ask_commit(branch)).await?;
        if commit_now != commit {
            return Err(QuestionError::BranchMoved);
        }
        // The branch is where it was: so it is the fetch that does not work, even one that does not say so.
        let failure = self.shell.failed(Purpose::Question, &reason);
        Err(if is_told { QuestionError::Unreachable(failure) } else { QuestionError::BranchMoved })
    }

    async fn ask<T>(
        &self,
        command: Result<String, String>,
        read: impl FnOnce(&str, &Output) -> Result<T, Failure>,
    ) -> Result<T, QuestionError> {
        let command = command.map_err(|why| QuestionError::Unreachable(why.into()))?;
        let answer = self.shell.run(Purpose::Question, command.clone(), |output| read(&command, output)).await;
        answer.map_err(QuestionError::Unreachable)
    }
}

/// A commit's scenarios never change. But a shell that ends early and well says as little as a commit without any.
fn keep_of_scenarios(list: &Arc<ScenarioList>) -> Duration {
    if **list == ScenarioList::default() { BRANCH_KEEP } else { Duration::MAX }
}

/// Why a fetch brought nothing, should it turn out so, and whether anything was said of it.
fn brought_nothing(command: &str, output: &Output) -> (Failure, bool) {
    let Err(reason) = stdout_of(command, output) else {
        let words = last_words(&output.stderr);
        let reason = Failure::new(
            "what was fetched did not bring the branch's commit",
            format!(
                "`{command}` ended well, but the commit is still not there; do ssh.commands.fetch and .present look at \
                 the same clone, and does .fetch tell how git ended? On standard error: {words}"
            ),
        );
        return (reason, !output.stderr.trim_ascii().is_empty());
    };
    (reason, true)
}

/// Something else speaks where git's words should stand, though the command has ended well.
fn talkative(command: &str, Odd(words): &Odd) -> Failure {
    Failure::new(
        "the login shell prints text that git did not write",
        format!(
            "`{command}` printed {}, which is no word of git's: the login shell prints text, or something else answers. \
             Let its start-up files (~/.bashrc, /etc/profile.d) print only where a person reads, after \
             `[[ $- == *i* ]] || return`",
            first_words(words)
        ),
    )
}
