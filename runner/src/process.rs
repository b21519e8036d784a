//! A task's process: started in a session of its own, watched, and ended with all that it started.
//! Whatever ends it, nothing of it lives on and its log is complete.

pub mod family;
mod leftovers;
mod mark;
mod output;
mod program;
mod progress;

use family::Own;
pub use leftovers::kill_leftovers;
use leftovers::kill_once;
pub use mark::Mark;
pub use output::Report;

use crate::queue::End;
use crate::workspace::git::leads_astray;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Between SIGTERM and SIGKILL, by the contract.
const GRACE: Duration = Duration::from_secs(5);
/// A killed process that is still there after this is stuck in the kernel; the slot does not wait for it.
const KILL_WAIT: Duration = Duration::from_secs(30);

/// What to run.
#[derive(Debug)]
pub struct Task {
    pub program: PathBuf,
    pub workspace: PathBuf,
    /// Variables on top of the runner's own environment.
    pub env: Vec<(String, String)>,
    /// Variables of the runner's own environment that tasks don't get.
    pub hidden_env: Vec<String>,
    pub log: PathBuf,
    pub max_log_bytes: u64,
    pub mark: Mark,
}

/// What all processes of a task are known by: its results folder, which is no other task's.
pub fn mark_of_task(results: &Path) -> Mark {
    Mark::new("TESTARENA_RESULTS", results)
}

/// What may end a task before its time.
#[derive(Clone, Debug)]
pub struct Limits {
    pub timeout: Duration,
    pub abort: CancellationToken,
    pub stop: CancellationToken,
}

#[derive(Debug)]
pub struct Outcome {
    pub end: End,
    /// Bytes in the log.
    pub log_size: u64,
    /// The log holds the beginning only.
    pub is_log_cut: bool,
    /// The log could not be written to its end.
    pub log_error: Option<io::Error>,
    /// A sentence about what of it could not be ended.
    pub still_runs: Option<String>,
}

/// Runs a task to its end. An error means that it could not be started.
pub async fn run(task: Task, limits: Limits, reports: watch::Sender<Report>) -> io::Result<Outcome> {
    let log = tokio::fs::File::create(&task.log).await?;
    let (reader, writer) = io::pipe()?;
    let (mark, max_log_bytes) = (task.mark.clone(), task.max_log_bytes);
    let (child, own) = tokio::task::spawn_blocking(move || spawn(&task, writer)).await??;
    let group = Group::of(&child)?;
    let mut guard = KillOnDrop(Some((group.clone(), mark.clone())));
    let ended = CancellationToken::new();
    let pump = tokio::spawn(output::pump(reader, log, max_log_bytes, ended.clone(), reports));

    let end = wait(child, own, group, &limits).await;
    // What left the group must not hold the device either; and a task has only ended when the last of its
    // processes is gone.
    let leftovers = tokio::task::spawn_blocking(move || kill_leftovers(&mark)).await?;
    guard.0 = None;
    if leftovers.killed > 0 {
        tracing::info!(processes = leftovers.killed, "killed processes that a task had left behind");
    }
    ended.cancel();
    let written = pump.await?;
    Ok(Outcome {
        end: end?,
        log_size: written.size,
        is_log_cut: written.is_cut,
        log_error: written.error,
        still_runs: leftovers.complaint(),
    })
}

fn spawn(task: &Task, output: io::PipeWriter) -> io::Result<(Child, Own)> {
    let explain = |error| io::Error::other(program::explain(&error, &task.program, &task.workspace));
    if let Some(problem) = program::problem(&task.program, &task.workspace).map_err(explain)? {
        return Err(io::Error::other(problem));
    }
    let mut command = Command::new(&task.program);
    for (name, _) in std::env::vars_os() {
        // A setting of TestArena itself may be a secret.
        if leads_astray(&name) || name.as_encoded_bytes().starts_with(b"TESTARENA_") {
            command.env_remove(name);
        }
    }
    for name in &task.hidden_env {
        command.env_remove(name);
    }
    command
        .envs(task.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&task.workspace)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    family::in_own_session(&mut command)?;
    family::start(&task.mark, || command.spawn(), |child| Some(child.id())).map_err(explain)
}

/// A child's process group. Its id stays ours until the child is reaped, so nothing is signalled after that.
#[derive(Debug)]
struct Group {
    leader: Pid,
    is_reaped: Mutex<bool>,
}

impl Group {
    fn of(child: &Child) -> io::Result<Arc<Self>> {
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = id.ok_or_else(|| io::Error::other("the process has no id"))?;
        Ok(Arc::new(Self { leader, is_reaped: Mutex::new(false) }))
    }

    fn signal(&self, signal: Signal) {
        let is_reaped = self.is_reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_reaped && let Err(error) = kill_process_group(self.leader, signal) {
            tracing::debug!(%error, group = self.leader.as_raw_nonzero(), "a process group could not be signalled");
        }
    }

    /// Waits for the leader, kills what is left of its group and only then reaps it. Blocks.
    fn reap(&self, mut child: Child, own: Own) -> io::Result<ExitStatus> {
        while let Err(error) = waitid(WaitId::Pid(self.leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            if error != rustix::io::Errno::INTR {
                return Err(error.into());
            }
        }
        self.signal(Signal::KILL);
        let mut is_reaped = self.is_reaped.lock().unwrap_or_else(PoisonError::into_inner);
        *is_reaped = true;
        let status = child.wait();
        drop(own);
        status
    }
}

/// A task whose future is dropped, because the whole runner goes down, leaves nothing running.
struct KillOnDrop(Option<(Arc<Group>, Mark)>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some((group, mark)) = self.0.take() {
            group.signal(Signal::KILL);
            kill_once(&mark);
        }
    }
}

async fn wait(child: Child, own: Own, group: Arc<Group>, limits: &Limits) -> io::Result<End> {
    let (sender, mut exit) = oneshot::channel();
    let reaper = group.clone();
    // A thread of its own: a task runs for hours, and the pool of blocking threads serves everything else.
    std::thread::Builder::new().name("task-wait".to_owned()).spawn(move || {
        let _receiver_may_be_gone = sender.send(reaper.reap(child, own));
    })?;
    let lost = |_| io::Error::other("the thread that waits for the process is gone");
    let (end, grace) = tokio::select! {
        biased;
        status = &mut exit => return Ok(end_of(status.map_err(lost)??)),
        () = limits.abort.cancelled() => (End::Aborted, GRACE),
        () = limits.stop.cancelled() => (End::RunnerStopped, STOP_GRACE),
        () = tokio::time::sleep(limits.timeout) => (End::TimedOut(limits.timeout), GRACE),
    };
    group.signal(Signal::TERM);
    if tokio::time::timeout(grace, &mut exit).await.is_err() {
        group.signal(Signal::KILL);
        if tokio::time::timeout(KILL_WAIT, &mut exit).await.is_err() {
            tracing::error!(
                group = group.leader.as_raw_nonzero(),
                "a killed task's process does not end; look at its device"
            );
        }
    }
    Ok(end)
}

/// The runner itself has 10 s to leave, so its tasks get less than the usual grace.
const STOP_GRACE: Duration = Duration::from_secs(2);

fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or(0)),
    }
}
