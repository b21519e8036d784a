//! A checkout's submodules at the commits that it records, and what is said of them in the queue's log.
//! Those of submodules too; one that can't be had fails the checkout, in git's words.

use super::Repository;
use super::checkout::CHECKOUT_LIMIT;
use super::git::GitError;
use std::path::Path;

/// Most lines about submodules in a queue's log.
const MAX_LINES: usize = 50;
/// Git follows no local path in a commit's `.gitmodules` by itself, lest it leads into somebody else's files.
/// Here the commit's own programs run a moment later, with the same rights.
const ALLOW_LOCAL: &str = "protocol.file.allow=always";
/// Objects of a submodule that the bench's clone has are borrowed from there, where they can be.
const BORROW: [&str; 4] =
    ["-c", "submodule.alternateLocation=superproject", "-c", "submodule.alternateErrorStrategy=ignore"];

impl Repository {
    /// Fetches the submodules of a checkout, and returns what there is to tell of them.
    pub(super) async fn fetch_submodules(&self, workspace: &Path, is_wanted: bool) -> Result<Vec<String>, GitError> {
        let run =
            |arguments: Vec<&'static str>| async move { self.git.run(workspace, &arguments, CHECKOUT_LIMIT).await };
        let recorded = recorded_in(&run(vec!["ls-files", "--stage", "-z"]).await?);
        if recorded.is_empty() {
            return Ok(Vec::new());
        }
        let names = recorded.join(", ");
        if !is_wanted {
            return Ok(vec![format!("has submodules, not fetched (submodules = false): {names}")]);
        }
        if !workspace.join(".gitmodules").is_file() {
            return Ok(vec![format!("has submodules, but no .gitmodules that says where from; left empty: {names}")]);
        }
        let update = ["submodule", "--quiet", "update", "--init", "--recursive", "--jobs", "4"];
        run([&["-c", ALLOW_LOCAL][..], &BORROW, &update].concat()).await?;
        let status = run(vec!["submodule", "status", "--recursive"]).await?;
        let status = String::from_utf8_lossy(&status).into_owned();
        let mut lines: Vec<String> = status.lines().map(told).take(MAX_LINES).collect();
        let more = status.lines().count().saturating_sub(MAX_LINES);
        lines.extend((more > 0).then(|| format!("and {more} more submodules")));
        Ok(lines)
    }
}

/// Paths of the entries `160000 <commit> 0\t<path>`.
fn recorded_in(listing: &[u8]) -> Vec<String> {
    let entries = listing.split(|byte| *byte == 0).filter(|entry| entry.starts_with(b"160000 "));
    let paths = entries.filter_map(|entry| entry.splitn(2, |byte| *byte == b'\t').nth(1));
    paths.map(|path| String::from_utf8_lossy(path).escape_debug().to_string()).collect()
}

/// Of a line ` <commit> <path> (<description>)`; a `-` in front says that git was told to leave it out.
fn told(line: &str) -> String {
    let is_left_out = line.starts_with('-');
    let mut words = line.trim_start_matches([' ', '-', '+', 'U']).splitn(2, ' ');
    let (commit, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.rsplit_once(" (").map_or(path, |(path, _)| path).escape_debug().to_string();
    if is_left_out {
        format!("submodule {path} is left out, as its settings say")
    } else {
        format!("submodule {path} at {commit}")
    }
}
