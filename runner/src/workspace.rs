//! The repository as the runner uses it: is a commit there, which file is a scenario, what holds a queue's commit.
//! It may be any clone: bare, shallow, partial, or one that borrows its objects from another.

mod checkout;
mod clone_layout;
mod fetch;
pub mod git;
mod holds;
mod locks;
mod look;
mod mend;
mod submodules;

use crate::config::Config;
pub use checkout::Wanted;
use fetch::Turns;
pub use git::GitError;
use git::{Call, Git};
use mend::{Mending, tells_of_damage};
use protocol::names::{is_scenario_name, scenario_of_path};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

/// A question about what is already here; git reads a few files.
const LOCAL_LIMIT: Duration = Duration::from_secs(20);
/// A question to the source over the network. Two of them have to fit into the 30 s that a client gives a call.
const ORIGIN_LIMIT: Duration = Duration::from_secs(12);
/// `git ls-remote --exit-code` found no such ref.
const NO_MATCHING_REF: i32 = 2;

/// Why a queue can't be run.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("no branch \"{0}\" in the repository")]
    UnknownBranch(String),
    #[error("no commit {commit} in the repository, nor on branch \"{branch}\" at its source")]
    UnknownCommit { branch: String, commit: String },
    #[error("{0}")]
    Git(#[from] GitError),
}

#[derive(Clone, Debug)]
pub struct Repository {
    pub path: PathBuf,
    pub git: Git,
    scenario_dir: String,
    turns: Turns,
    mending: Mending,
}

impl Repository {
    pub fn new(config: &Config) -> Self {
        let (path, scenario_dir) = (config.repository.clone(), config.scenario_dir.clone());
        let (turns, mending) = (Turns::default(), Mending::default());
        Self { path, git: Git::new(&config.data_dir), scenario_dir, turns, mending }
    }

    async fn run(&self, arguments: &[&str], limit: Duration) -> Result<Vec<u8>, GitError> {
        self.git.run(&self.path, arguments, limit).await
    }

    /// Makes sure that the branch is known and the commit is here, asking the source only for what is missing.
    pub async fn ensure_commit(&self, branch: &str, commit: &str) -> Result<(), Refusal> {
        let (has_commit, has_branch) = self.look_up(branch, commit).await?;
        if !has_branch && !self.exists_at_origin(branch).await? {
            return Err(Refusal::UnknownBranch(branch.to_owned()));
        }
        if has_commit {
            return Ok(());
        }
        let fetched = self.fetch(branch, commit, ORIGIN_LIMIT).await;
        // Whatever git says: it may have brought the commit and only failed to note that, at a ref that is in
        // the way or a lock that a crash has left.
        if self.look_up(branch, commit).await?.0 {
            return Ok(());
        }
        if let Err(error) = fetched {
            if let GitError::GoesOn { .. } = error {
                return Err(error.into());
            }
            // A branch that is remembered here may have been deleted at the source.
            let still_exists = self.exists_at_origin(branch).await?;
            return Err(if still_exists { error.into() } else { Refusal::UnknownBranch(branch.to_owned()) });
        }
        Err(Refusal::UnknownCommit { branch: branch.to_owned(), commit: commit.to_owned() })
    }

    /// Whether the commit and a ref of the branch are here.
    async fn look_up(&self, branch: &str, commit: &str) -> Result<(bool, bool), GitError> {
        let input = format!("{commit}^{{commit}}\nrefs/remotes/origin/{branch}\nrefs/heads/{branch}\n");
        let call = Call {
            folder: &self.path,
            arguments: &["cat-file", "--batch-check"],
            // A partial clone would ask its source for a commit that it lacks, and fail where that refuses.
            env: &[("GIT_NO_LAZY_FETCH", OsStr::new("1"))],
            input,
            limit: LOCAL_LIMIT,
        };
        let answer = match self.git.call(call).await {
            Ok(answer) => answer,
            // Older gits ask all the same. Where the repository as such can be read, this says no more than
            // that something is not here.
            Err(GitError::Failed { .. }) => {
                self.clone_layout().await?;
                return Ok((false, false));
            }
            Err(error) => return Err(error),
        };
        let found: Vec<bool> = answer.split(|byte| *byte == b'\n').map(is_found).collect();
        let at = |index: usize| found.get(index).copied().unwrap_or(false);
        Ok((at(0), at(1) || at(2)))
    }

    async fn exists_at_origin(&self, branch: &str) -> Result<bool, GitError> {
        let name = format!("refs/heads/{branch}");
        match self.run(&["ls-remote", "--exit-code", "--heads", "origin", &name], ORIGIN_LIMIT).await {
            // git matches tails too, so the line has to be the very ref.
            Ok(lines) => {
                Ok(lines.split(|byte| *byte == b'\n').any(|line| line.ends_with(format!("\t{name}").as_bytes())))
            }
            Err(GitError::Failed { code: Some(NO_MATCHING_REF), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All files of a commit's folder of scenarios, as git lists them.
    pub async fn list_files(&self, branch: Option<&str>, commit: &str, limit: Duration) -> Result<Vec<u8>, GitError> {
        let arguments = ["ls-tree", "-rz", "--full-tree", commit, "--", &self.scenario_dir];
        let list = || self.run(&arguments, limit);
        match list().await {
            Err(error) if tells_of_damage(&error) && self.look_up("", commit).await?.0 => {
                let found = if branch.is_none() { self.branch_of(commit).await? } else { None };
                self.mend_and(branch.or(found.as_deref()), ORIGIN_LIMIT, list()).await
            }
            listing => listing,
        }
    }

    /// The file of each scenario of a commit, relative to its root. Names that two files share are left out.
    pub async fn scenario_files(&self, branch: &str, commit: &str) -> Result<HashMap<String, String>, GitError> {
        let listing = self.list_files(Some(branch), commit, LOCAL_LIMIT).await?;
        let mut files: HashMap<String, Option<String>> = HashMap::new();
        for entry in listing.split(|byte| *byte == 0) {
            if let Some((scenario, path)) = scenario_of_entry(entry, &self.scenario_dir) {
                files.entry(scenario).and_modify(|file| *file = None).or_insert(Some(path));
            }
        }
        Ok(files.into_iter().filter_map(|(scenario, path)| Some((scenario, path?))).collect())
    }
}

/// A found object is `<hash> <type> <size>`, an unknown one `<name> missing`.
fn is_found(line: &[u8]) -> bool {
    let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    !last.is_empty() && last.iter().all(u8::is_ascii_digit)
}

/// Name and path of an entry `100755 blob <hash>\t<path>`, if it is a scenario.
fn scenario_of_entry(entry: &[u8], scenario_dir: &str) -> Option<(String, String)> {
    let (facts, path) = std::str::from_utf8(entry).ok()?.split_once('\t')?;
    let below = path.strip_prefix(scenario_dir)?.strip_prefix('/')?;
    let scenario = scenario_of_path(below).filter(|name| is_scenario_name(name))?;
    facts.starts_with("100755 blob ").then(|| (scenario.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_files_in_the_folder_are_scenarios() {
        let scenario = |entry: &str| scenario_of_entry(entry.as_bytes(), "scenarios").map(|(name, _)| name);
        assert_eq!(scenario("100755 blob 4f1c\tscenarios/smoke/boot.sh"), Some("smoke/boot".to_owned()));
        for entry in [
            "",
            "100644 blob 4f1c\tscenarios/smoke/boot.sh",
            "120000 blob 4f1c\tscenarios/link",
            "100755 blob 4f1c\tscenarios2/boot.sh",
            "100755 blob 4f1c\tscenarios/_lib/boot.sh",
            "100755 blob 4f1c\tscenarios/a b.sh",
        ] {
            assert_eq!(scenario(entry), None, "{entry}");
        }
    }
}
