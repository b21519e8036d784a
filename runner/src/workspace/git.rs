//! Git as a child process with a time limit, in a process group that never outlives the call.
//! The repository is the one named, whatever the runner's own environment says of git.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// Most of git's complaint that goes into a message, in bytes.
const MAX_COMPLAINT: usize = 2_000;

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("can't run git: {source}")]
    Start { source: std::io::Error },
    #[error("git {command} took longer than {} s", limit.as_secs())]
    TimedOut { command: String, limit: Duration },
    #[error("git {command} failed: {complaint}")]
    Failed { command: String, code: Option<i32>, complaint: String },
}

/// Runs git in a folder and returns what it printed.
pub async fn git(folder: &Path, arguments: &[&str], limit: Duration) -> Result<Vec<u8>, GitError> {
    git_with_input(folder, arguments, String::new(), limit).await
}

/// The same, with something to read on its standard input.
pub async fn git_with_input(
    folder: &Path,
    arguments: &[&str],
    input: String,
    limit: Duration,
) -> Result<Vec<u8>, GitError> {
    let name = arguments.first().copied().unwrap_or_default().to_owned();
    let mut command = command(folder, arguments);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().map_err(|source| GitError::Start { source })?;
    let mut group = GroupGuard::of(&child);
    let stdin = child.stdin.take();
    let work = async {
        if let Some(mut stdin) = stdin {
            // Git that ends without reading has its say on stderr.
            let _closed_early = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(limit, work).await {
        Err(_) => return Err(GitError::TimedOut { command: name, limit }),
        Ok(output) => output.map_err(|source| GitError::Start { source })?,
    };
    group.disarm();
    if output.status.success() {
        return Ok(output.stdout);
    }
    let complaint = &output.stderr[..output.stderr.len().min(MAX_COMPLAINT)];
    let complaint = String::from_utf8_lossy(complaint).trim().to_owned();
    Err(GitError::Failed { command: name, code: output.status.code(), complaint })
}

/// Git, ready to be started in a folder with no input and its output piped.
pub fn command(folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        // GIT_DIR and its kin, as hooks have them, would lead it to another repository.
        if leads_astray(&name) {
            command.env_remove(name);
        }
    }
    command
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Whether a variable would make git work on another repository than the one it is started in.
pub fn leads_astray(variable: &OsStr) -> bool {
    const NAMES: [&str; 8] = [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
    ];
    NAMES.iter().any(|name| variable == *name)
}

/// Kills a child's process group when a call is cut off, so that a helper of git (ssh, a transport) ends with it.
pub struct GroupGuard(Option<rustix::process::Pid>);

impl GroupGuard {
    pub fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw))
    }

    /// The child has ended by itself: its id may be somebody else's from now on.
    pub fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for GroupGuard {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Usually there is nobody left.
            let _nobody = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
