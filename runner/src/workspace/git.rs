//! Git as a child process with a time limit, in a session of its own that never outlives the call.
//! The repository is the one named, whatever the runner's own environment says of git.

use crate::layout::tells_of_full_disk;
use crate::process::family::{self, Own};
use crate::process::{Mark, kill_leftovers};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;

/// Most of git's complaint that goes into a message, in bytes. What ended it stands last.
const MAX_COMPLAINT: usize = 2_000;
/// For what git has printed last, once it has ended.
const AFTER_END: Duration = Duration::from_millis(500);

/// Git syncs packs and nothing else. What a power cut leaves of a ref or an object that was not synced is an empty file,
/// which git then takes for a damaged clone. Older gits do not know the setting, and are none the worse for it.
const DURABLE: &str = "core.fsync=loose-object,reference";

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("can't run git: {source}")]
    Start { source: io::Error },
    #[error("git {command} took longer than {} s", limit.as_secs())]
    TimedOut { command: String, limit: Duration },
    #[error("git {command} takes longer than {} s, and goes on: ask again{}", limit.as_secs(), told(last.as_deref()))]
    GoesOn {
        command: String,
        limit: Duration,
        /// Why the last one failed, which nobody may have waited for.
        last: Option<String>,
    },
    #[error("git {command} failed: {complaint}")]
    Failed { command: String, code: Option<i32>, complaint: String },
}

/// The system's words for a disk or a quota that is full, as git and its helpers pass them on; and those of git itself for
/// a file of a checkout that the disk did not take, of which it does not say why and leaves nothing there.
const NO_ROOM: [&str; 3] = ["no space left on device", "disk quota exceeded", "error: unable to write file "];

impl GitError {
    pub fn is_for_want_of_room(&self) -> bool {
        match self {
            Self::Start { source } => tells_of_full_disk(source),
            Self::Failed { complaint, .. } => complaint.lines().any(|line| {
                // A source with a full disk is no concern of ours.
                let line = line.to_ascii_lowercase();
                !line.starts_with("remote: ") && NO_ROOM.iter().any(|words| line.contains(words))
            }),
            Self::TimedOut { .. } | Self::GoesOn { .. } => false,
        }
    }
}

fn told(last: Option<&str>) -> String {
    last.map(|failure| format!(" (the last one failed: {failure})")).unwrap_or_default()
}

impl From<io::Error> for GitError {
    fn from(source: io::Error) -> Self {
        Self::Start { source }
    }
}

/// One call of git, before it is made.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub folder: &'a Path,
    pub arguments: &'a [&'a str],
    /// On top of the runner's own environment.
    pub env: &'a [(&'a str, &'a OsStr)],
    pub input: String,
    pub limit: Duration,
}

/// One runner's git: its processes bear a mark of their own, by which the next start finds what a crash left.
#[derive(Clone, Debug)]
pub struct Git(Mark);

impl Git {
    pub fn new(data_dir: &Path) -> Self {
        Self(Mark::new("TESTARENA_GIT_OF", data_dir))
    }

    /// Ends what git a killed runner left at work. Blocks.
    pub fn kill_leftovers(&self) -> usize {
        kill_leftovers(&self.0).killed
    }

    /// Runs git in a folder and returns what it printed.
    pub async fn run(&self, folder: &Path, arguments: &[&str], limit: Duration) -> Result<Vec<u8>, GitError> {
        self.call(Call { folder, arguments, env: &[], input: String::new(), limit }).await
    }

    pub async fn call(&self, call: Call<'_>) -> Result<Vec<u8>, GitError> {
        let name = name_of(call.arguments);
        let (mut child, own) = self.start(call.folder, call.arguments, call.env, Stdio::piped())?;
        let mut group = GroupGuard::of(&child, own);
        let output = match tokio::time::timeout(call.limit, talk(&mut child, &call.input)).await {
            Err(_) => return Err(GitError::TimedOut { command: name, limit: call.limit }),
            Ok(output) => output?,
        };
        group.disarm();
        if output.status.success() {
            return Ok(output.stdout);
        }
        let complaint = &output.stderr[output.stderr.len().saturating_sub(MAX_COMPLAINT)..];
        let complaint = String::from_utf8_lossy(complaint).trim().to_owned();
        Err(GitError::Failed { command: name, code: output.status.code(), complaint })
    }

    /// Starts git with its output piped. Nobody can ask it anything: it has no terminal.
    pub fn start(
        &self,
        folder: &Path,
        arguments: &[impl AsRef<OsStr>],
        env: &[(&str, &OsStr)],
        stdin: Stdio,
    ) -> io::Result<(Child, Own)> {
        let mut command = std::process::Command::new("git");
        for (name, _) in std::env::vars_os() {
            // GIT_DIR and its kin, as hooks have them, would lead it to another repository.
            if leads_astray(&name) {
                command.env_remove(name);
            }
        }
        let (mark, folder_of_mark) = self.0.variable();
        command
            .arg("-C")
            .arg(folder)
            .args(["-c", DURABLE])
            .args(arguments)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .env(mark, folder_of_mark)
            .envs(env.iter().copied());
        family::in_own_session(&mut command)?;
        let mut command = tokio::process::Command::from(command);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        family::start(&self.0, || command.spawn(), Child::id)
    }
}

/// Tells a process its input, and reads what it prints until it ends. What it has left at work (the master of an SSH
/// connection, a helper for credentials) may hold its output open for long.
async fn talk(child: &mut Child, input: &str) -> io::Result<Output> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut printed, mut complaint) = (Vec::new(), Vec::new());
    let status = {
        let write = async {
            if let Some(mut stdin) = stdin {
                // Git that ends without reading has its say on stderr.
                let _closed_early = stdin.write_all(input.as_bytes()).await;
            }
        };
        let mut reading =
            pin!(async { tokio::join!(write, drain(stdout, &mut printed), drain(stderr, &mut complaint)) });
        tokio::select! {
            _ = &mut reading => child.wait().await?,
            status = child.wait() => {
                let _held_open = tokio::time::timeout(AFTER_END, reading).await;
                status?
            }
        }
    };
    Ok(Output { status, stdout: printed, stderr: complaint })
}

async fn drain(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(mut from) = from {
        // What came before a failure is what there is.
        let _broken = from.read_to_end(into).await;
    }
}

/// The command's name among its arguments, behind options of git itself.
fn name_of(arguments: &[&str]) -> String {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match *word {
            "-c" => drop(words.next()),
            option if option.starts_with('-') => {}
            name => return name.to_owned(),
        }
    }
    String::new()
}

/// Whether a variable would make git work on another repository than the one it is started in.
pub fn leads_astray(variable: &OsStr) -> bool {
    // What `git rev-parse --local-env-vars` names, but for settings given by `-c`, and how paths are read.
    const NAMES: [&str; 17] = [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_SHALLOW_FILE",
        "GIT_GRAFT_FILE",
        "GIT_REPLACE_REF_BASE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "GIT_LITERAL_PATHSPECS",
    ];
    NAMES.iter().any(|name| variable == *name)
}

/// Kills a child's process group when a call is cut off, so that a helper of git (ssh, a transport) ends with it.
pub struct GroupGuard {
    group: Option<Pid>,
    _own: Own,
}

impl GroupGuard {
    pub fn of(child: &Child, own: Own) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { group, _own: own }
    }

    /// The child has ended by itself: its id may be somebody else's from now on.
    pub fn disarm(&mut self) {
        self.group = None;
    }
}

impl Drop for GroupGuard {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // Usually there is nobody left.
            let _nobody = kill_process_group(group, Signal::KILL);
        }
    }
}
