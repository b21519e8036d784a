//! A checkout's submodules at the commits that it records, and what is said of them in the queue's log.
//! Those of submodules too; one that can't be had fails the checkout, in git's words.

use super::Repository;
use super::checkout::{CHECKOUT_LIMIT, NOT_OURS};
use super::git::GitError;
use std::collections::HashSet;
use std::path::Path;

/// Most lines about submodules in a queue's log.
const MAX_LINES: usize = 50;
/// Submodules of submodules are looked for down to here.
const MAX_DEPTH: usize = 16;
/// Git follows no local path in a commit's `.gitmodules` by itself, lest it leads into somebody else's files.
/// Here the commit's own programs run a moment later, with the same rights.
const ALLOW_LOCAL: &str = "protocol.file.allow=always";
/// Objects of a submodule that the bench's clone has are borrowed from there, where they can be.
const BORROW: [&str; 4] =
    ["-c", "submodule.alternateLocation=superproject", "-c", "submodule.alternateErrorStrategy=ignore"];
const GET_PATHS: [&str; 6] = ["config", "--file", ".gitmodules", "--null", "--get-regexp", r"^submodule\..*\.path$"];

impl Repository {
    /// Fetches the submodules of a checkout, and returns what there is to tell of them.
    pub(super) async fn fetch_submodules(&self, workspace: &Path, is_wanted: bool) -> Result<Vec<String>, GitError> {
        let recorded = self.recorded_in(workspace).await?;
        if recorded.is_empty() {
            return Ok(Vec::new());
        }
        if !is_wanted {
            return Ok(vec![format!("has submodules, not fetched (submodules = false): {}", shown(&recorded))]);
        }
        if !workspace.join(".gitmodules").is_file() {
            let names = shown(&recorded);
            return Ok(vec![format!("has submodules, but no .gitmodules that says where from; left empty: {names}")]);
        }
        // A clone of a submodule does not read the settings of the checkout that it is for.
        let ways: Vec<String> =
            self.ways().await?.iter().flat_map(|way| ["-c".to_owned(), way.replacen('\n', "=", 1)]).collect();
        let ways: Vec<&str> = ways.iter().map(String::as_str).collect();
        let mut lines = self.fetch_level(workspace, "", &ways, 0).await?;
        let more = lines.len().saturating_sub(MAX_LINES);
        lines.truncate(MAX_LINES);
        lines.extend((more > 0).then(|| format!("and {more} more submodules")));
        Ok(lines)
    }

    /// Those of the repository in a folder of the checkout, each with its own. One that `.gitmodules` does not name would
    /// have git leave all of them out.
    async fn fetch_level(
        &self,
        workspace: &Path,
        within: &str,
        ways: &[&str],
        depth: usize,
    ) -> Result<Vec<String>, GitError> {
        let folder = workspace.join(within);
        let recorded = self.recorded_in(&folder).await?;
        if recorded.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.known_in(&folder).await?;
        let (known, stray): (Vec<String>, Vec<String>) = recorded.into_iter().partition(|path| known.contains(path));
        let mut lines = Vec::new();
        if !stray.is_empty() {
            let stray: Vec<String> = stray.iter().map(|path| format!("{within}{path}")).collect();
            lines.push(format!("has submodules that .gitmodules does not name; left empty: {}", shown(&stray)));
        }
        let paths: Vec<&str> = known.iter().map(String::as_str).collect();
        if paths.is_empty() {
            return Ok(lines);
        }
        let update = ["submodule", "--quiet", "update", "--init", "--jobs", "4", "--"];
        // A path is one, whatever it begins with.
        let options = [&["--literal-pathspecs", "-c", ALLOW_LOCAL][..], &NOT_OURS, &BORROW, ways].concat();
        let update = [&options[..], &update, &paths].concat();
        self.git.run(&folder, &update, CHECKOUT_LIMIT).await?;
        for path in paths {
            let status = self
                .git
                .run(&folder, &["--literal-pathspecs", "submodule", "status", "--", path], CHECKOUT_LIMIT)
                .await?;
            let status = String::from_utf8_lossy(&status).into_owned();
            lines.extend(status.lines().map(|line| told(line, within)));
            if depth < MAX_DEPTH && !status.starts_with('-') {
                let below = format!("{within}{path}/");
                lines.extend(Box::pin(self.fetch_level(workspace, &below, ways, depth + 1)).await?);
            }
        }
        Ok(lines)
    }

    /// Paths of the entries `160000 <commit> 0\t<path>`.
    async fn recorded_in(&self, folder: &Path) -> Result<Vec<String>, GitError> {
        let listing = self.git.run(folder, &["ls-files", "--stage", "-z"], CHECKOUT_LIMIT).await?;
        let entries = listing.split(|byte| *byte == 0).filter(|entry| entry.starts_with(b"160000 "));
        let paths = entries.filter_map(|entry| entry.splitn(2, |byte| *byte == b'\t').nth(1));
        Ok(paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }

    /// Paths that a folder's `.gitmodules` names.
    async fn known_in(&self, folder: &Path) -> Result<HashSet<String>, GitError> {
        let listing = match self.git.run(folder, &GET_PATHS, CHECKOUT_LIMIT).await {
            // There are none.
            Err(GitError::Failed { code: Some(1), .. }) => return Ok(HashSet::new()),
            listing => listing?,
        };
        let entries = listing.split(|byte| *byte == 0);
        let paths = entries.filter_map(|entry| entry.splitn(2, |byte| *byte == b'\n').nth(1));
        Ok(paths.map(|path| String::from_utf8_lossy(path).trim_end_matches('/').to_owned()).collect())
    }
}

fn shown(paths: &[String]) -> String {
    paths.iter().map(|path| path.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
}

/// Of a line ` <commit> <path> (<description>)`; a `-` in front says that git was told to leave it out.
fn told(line: &str, within: &str) -> String {
    let is_left_out = line.starts_with('-');
    let mut words = line.trim_start_matches([' ', '-', '+', 'U']).splitn(2, ' ');
    let (commit, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.rsplit_once(" (").map_or(path, |(path, _)| path);
    let path = format!("{within}{path}").escape_debug().to_string();
    if is_left_out {
        format!("submodule {path} is left out, as its settings say")
    } else {
        format!("submodule {path} at {commit}")
    }
}
