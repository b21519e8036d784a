//! The repository as the runner uses it: is a commit there, which file is a scenario, a queue's own checkout.
//! A checkout is a clone that borrows the repository's objects, so that what a scenario does in it stays in it.

pub mod git;

use git::{GitError, git, git_with_input};
use protocol::names::{is_scenario_name, scenario_of_path};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A question about what is already here; git reads a few files.
const LOCAL_LIMIT: Duration = Duration::from_secs(20);
/// A question to the source over the network. Two of them have to fit into the 30 s that a client gives a call.
const ORIGIN_LIMIT: Duration = Duration::from_secs(12);
/// Writing the files of a big repository onto a slow disk.
const CHECKOUT_LIMIT: Duration = Duration::from_mins(10);
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

/// Makes sure that the branch is known and the commit is here, asking the source only for what is missing.
pub async fn ensure_commit(repository: &Path, branch: &str, commit: &str) -> Result<(), Refusal> {
    let (has_commit, has_branch) = look_up(repository, branch, commit).await?;
    if !has_branch && !exists_at_origin(repository, branch).await? {
        return Err(Refusal::UnknownBranch(branch.to_owned()));
    }
    if has_commit {
        return Ok(());
    }
    let source = format!("refs/heads/{branch}");
    let fetched = git(repository, &["fetch", "--quiet", "origin", &source], ORIGIN_LIMIT).await;
    if let Err(error) = fetched {
        // A branch that is remembered here may have been deleted at the source.
        let still_exists = exists_at_origin(repository, branch).await?;
        return Err(if still_exists { error.into() } else { Refusal::UnknownBranch(branch.to_owned()) });
    }
    let (has_commit, _) = look_up(repository, branch, commit).await?;
    if has_commit {
        return Ok(());
    }
    Err(Refusal::UnknownCommit { branch: branch.to_owned(), commit: commit.to_owned() })
}

/// Whether the commit and a ref of the branch are here.
async fn look_up(repository: &Path, branch: &str, commit: &str) -> Result<(bool, bool), GitError> {
    let questions = format!("{commit}^{{commit}}\nrefs/remotes/origin/{branch}\nrefs/heads/{branch}\n");
    let answer = git_with_input(repository, &["cat-file", "--batch-check"], questions, LOCAL_LIMIT).await?;
    let found: Vec<bool> = answer.split(|byte| *byte == b'\n').map(is_found).collect();
    let at = |index: usize| found.get(index).copied().unwrap_or(false);
    Ok((at(0), at(1) || at(2)))
}

/// A found object is `<hash> <type> <size>`, an unknown one `<name> missing`.
fn is_found(line: &[u8]) -> bool {
    let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    !last.is_empty() && last.iter().all(u8::is_ascii_digit)
}

async fn exists_at_origin(repository: &Path, branch: &str) -> Result<bool, GitError> {
    let name = format!("refs/heads/{branch}");
    let arguments = ["ls-remote", "--exit-code", "--heads", "origin", &name];
    match git(repository, &arguments, ORIGIN_LIMIT).await {
        // git matches tails too, so the line has to be the very ref.
        Ok(lines) => Ok(lines.split(|byte| *byte == b'\n').any(|line| line.ends_with(format!("\t{name}").as_bytes()))),
        Err(GitError::Failed { code: Some(NO_MATCHING_REF), .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The file of each scenario of a commit, relative to its root. Names that two files share are left out.
pub async fn scenario_files(
    repository: &Path,
    commit: &str,
    scenario_dir: &str,
) -> Result<HashMap<String, String>, GitError> {
    let arguments = ["ls-tree", "-rz", "--full-tree", commit, "--", scenario_dir];
    let listing = git(repository, &arguments, LOCAL_LIMIT).await?;
    let mut files: HashMap<String, Option<String>> = HashMap::new();
    for entry in listing.split(|byte| *byte == 0) {
        if let Some((scenario, path)) = scenario_of_entry(entry, scenario_dir) {
            files.entry(scenario).and_modify(|file| *file = None).or_insert(Some(path));
        }
    }
    Ok(files.into_iter().filter_map(|(scenario, path)| Some((scenario, path?))).collect())
}

/// Name and path of an entry `100755 blob <hash>\t<path>`, if it is a scenario.
fn scenario_of_entry(entry: &[u8], scenario_dir: &str) -> Option<(String, String)> {
    let (facts, path) = std::str::from_utf8(entry).ok()?.split_once('\t')?;
    let below = path.strip_prefix(scenario_dir)?.strip_prefix('/')?;
    let scenario = scenario_of_path(below).filter(|name| is_scenario_name(name))?;
    facts.starts_with("100755 blob ").then(|| (scenario.to_owned(), path.to_owned()))
}

/// Makes `workspace` a checkout of the commit, in place of whatever is there.
pub async fn checkout(repository: &Path, workspace: PathBuf, commit: &str) -> Result<(), GitError> {
    let folder = workspace.clone();
    tokio::task::spawn_blocking(move || crate::layout::remove_tree(&folder))
        .await
        .map_err(std::io::Error::from)
        .flatten()
        .map_err(|source| GitError::Start { source })?;
    let target = workspace.to_string_lossy();
    let clone = ["clone", "--quiet", "--shared", "--no-checkout", "--", ".", &target];
    git(repository, &clone, CHECKOUT_LIMIT).await?;
    git(&workspace, &["checkout", "--quiet", "--detach", commit], CHECKOUT_LIMIT).await?;
    Ok(())
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
