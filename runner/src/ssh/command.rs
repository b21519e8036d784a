//! Which of the contract's six commands a line is, for this runner's own folders.
//! A value is only taken when it is what the contract says it is; nothing of the line is ever run as it came.

use super::words;
use crate::config::Config;
use protocol::names::{is_branch_name, is_commit, is_queue_id};
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Branches,
    Validate { branch: String },
    Present { commit: String },
    Fetch { branch: String },
    Scenarios { commit: String },
    CleanUp { queue_id: String },
}

/// Why a line is not run, with the exit status that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub exit: u32,
    pub message: String,
}

/// A shell's status for a command that it does not find.
const NOT_FOUND: u32 = 127;
/// A shell's status for a command that it must not run.
const NOT_PERMITTED: u32 = 126;

impl Command {
    /// Reads a line. Touches the file system only to compare folders.
    pub fn parse(line: &[u8], config: &Config) -> Result<Self, Refusal> {
        let refused = || Refusal {
            exit: NOT_FOUND,
            message: "this server runs only the commands of the TestArena contract, in their default form".to_owned(),
        };
        let line = std::str::from_utf8(line).map_err(|_| refused())?;
        let words = words::split(line).map_err(|_| refused())?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["git", "-C", repository, ref rest @ ..] => {
                let command = parse_git(rest, config).ok_or_else(refused)?;
                expect_folder("repository", &config.repository, repository)?;
                Ok(command)
            }
            ["rm", "-rf", "--", folder] => parse_clean_up(folder, config),
            _ => Err(refused()),
        }
    }
}

fn parse_git(words: &[&str], config: &Config) -> Option<Command> {
    let branch = |text: &str| text.strip_prefix("refs/heads/").filter(|name| is_branch_name(name)).map(str::to_owned);
    let commit = |text: &str| is_commit(text).then(|| text.to_owned());
    match *words {
        ["ls-remote", "--heads", "origin"] => Some(Command::Branches),
        ["ls-remote", "--heads", "origin", name] => Some(Command::Validate { branch: branch(name)? }),
        ["cat-file", "-e", name] => Some(Command::Present { commit: commit(name.strip_suffix("^{commit}")?)? }),
        ["fetch", "--quiet", "origin", name] => Some(Command::Fetch { branch: branch(name)? }),
        ["ls-tree", "-rz", "--full-tree", name, "--", folder]
            if Path::new(folder) == Path::new(&config.scenario_dir) =>
        {
            Some(Command::Scenarios { commit: commit(name)? })
        }
        _ => None,
    }
}

fn parse_clean_up(folder: &str, config: &Config) -> Result<Command, Refusal> {
    let (root, queue_id) = folder.trim_end_matches('/').rsplit_once('/').unwrap_or_default();
    if !is_queue_id(queue_id) {
        let message = format!("only a queue's own folder in the workspace root is removed, not \"{folder}\"");
        return Err(Refusal { exit: NOT_PERMITTED, message });
    }
    expect_folder("workspace_root", &config.workspace_root, root)?;
    Ok(Command::CleanUp { queue_id: queue_id.to_owned() })
}

fn expect_folder(key: &str, ours: &Path, named: &str) -> Result<(), Refusal> {
    let named = Path::new(named);
    let is_same = named == ours
        || (named.is_absolute()
            && named.canonicalize().is_ok_and(|named| ours.canonicalize().is_ok_and(|ours| ours == named)));
    if is_same {
        return Ok(());
    }
    let message = format!("{key} is {} here, not \"{}\"", ours.display(), named.display());
    Err(Refusal { exit: NOT_PERMITTED, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const COMMIT: &str = "4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c";

    fn config() -> Config {
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            name: "bench-a".to_owned(),
            token: None,
            token_env: None,
            data_dir: "/srv/data".into(),
            repository: "/srv/re po".into(),
            scenario_dir: "scenarios".to_owned(),
            workspace_root: "/srv/runs".into(),
            submodules: true,
            slots: vec![],
            task_timeout: Duration::from_secs(1),
            max_log_bytes: 1 << 30,
            queue_overtime: Duration::ZERO,
            ssh: None,
        }
    }

    fn parse(line: &str) -> Result<Command, u32> {
        Command::parse(line.as_bytes(), &config()).map_err(|refusal| refusal.exit)
    }

    #[test]
    fn the_contracts_commands_are_known() {
        let (branch, commit) = (|name: &str| name.to_owned(), COMMIT.to_owned());
        for (line, command) in [
            ("git -C '/srv/re po' ls-remote --heads origin".to_owned(), Command::Branches),
            (
                "git -C '/srv/re po' ls-remote --heads origin refs/heads/'a$(b)'".to_owned(),
                Command::Validate { branch: branch("a$(b)") },
            ),
            (
                "git -C '/srv/re po/' ls-remote --heads origin 'refs/heads/it'\\''s'".to_owned(),
                Command::Validate { branch: branch("it's") },
            ),
            (
                format!("git -C '/srv/re po' cat-file -e {COMMIT}^{{commit}}"),
                Command::Present { commit: commit.clone() },
            ),
            (
                "git -C '/srv/re po' fetch --quiet origin refs/heads/main".to_owned(),
                Command::Fetch { branch: branch("main") },
            ),
            (
                format!("git -C '/srv/re po' ls-tree -rz --full-tree '{COMMIT}' -- 'scenarios'"),
                Command::Scenarios { commit },
            ),
            ("rm -rf -- /srv/runs/lab.42".to_owned(), Command::CleanUp { queue_id: branch("lab.42") }),
        ] {
            assert_eq!(parse(&line), Ok(command), "{line}");
        }
    }

    #[test]
    fn anything_else_is_not_run() {
        for line in [
            "",
            "ls",
            "git status",
            "git -C '/srv/re po' ls-remote --heads origin main",
            "git -C '/srv/re po' ls-remote --heads origin refs/heads/-a..b",
            "git -C '/srv/re po' ls-remote --heads --upload-pack=x origin",
            "git -C '/srv/re po' cat-file -e HEAD^{commit}",
            "git -C '/srv/re po' fetch --quiet origin '+refs/heads/main:refs/heads/x'",
            "git -C '/srv/re po' ls-tree -rz --full-tree HEAD -- scenarios",
            "git -C '/srv/re po' ls-remote --heads origin; reboot",
            "rm -rf /srv/runs/42",
            "rm -rf -- /srv/runs/42 /etc",
        ] {
            assert_eq!(parse(line), Err(NOT_FOUND), "{line}");
        }
    }

    #[test]
    fn other_folders_are_not_touched() {
        for line in [
            "git -C /srv/other ls-remote --heads origin",
            "git -C . ls-remote --heads origin",
            "rm -rf -- /srv/runs",
            "rm -rf -- /srv/runs/",
            "rm -rf -- /srv/runs/..",
            "rm -rf -- /srv/runs/a/42",
            "rm -rf -- /srv/runs/a-b",
            "rm -rf -- /etc/42",
            "rm -rf -- 42",
            "rm -rf -- /",
        ] {
            assert_eq!(parse(line), Err(NOT_PERMITTED), "{line}");
        }
    }
}
