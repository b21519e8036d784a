//! Carries one command out and streams its output, its complaints and its exit status back.
//! Git is started directly; a folder is removed by our own hand.

use super::command::Command;
use crate::state::State;
use crate::workspace::git::{GitError, GroupGuard};
use russh::ChannelWriteHalf;
use russh::server::Msg;
use std::process::Stdio;
use std::time::Duration;

type Writer = ChannelWriteHalf<Msg>;

/// Far above the deadline that a client sets itself; it ends what the client has forgotten.
const COMMAND_LIMIT: Duration = Duration::from_mins(5);
/// What `timeout(1)` exits with.
const TIMED_OUT: u32 = 124;
const FAILED: u32 = 1;
/// The stream of a channel that stands for standard error (RFC 4254, 5.2).
const STDERR: u32 = 1;
/// A shell's status for a program that a signal ended is this plus the signal's number.
const SIGNAL_BASE: u32 = 128;

/// Runs a line if it is one of the contract's commands, and says why if it is not.
pub async fn run_command(state: &State, line: &[u8], writer: &Writer) -> Result<(), russh::Error> {
    let (config, owned) = (state.config.clone(), line.to_vec());
    let parsed = tokio::task::spawn_blocking(move || Command::parse(&owned, &config)).await;
    let exit = match parsed.map_err(|_| russh::Error::SendError)? {
        Err(refusal) => {
            tracing::warn!(line = %line.escape_ascii(), "an SSH command was refused");
            complain(writer, &refusal.message).await?;
            refusal.exit
        }
        Ok(command) => {
            if let Ok(exit) = tokio::time::timeout(COMMAND_LIMIT, execute(state, command, writer)).await {
                exit?
            } else {
                complain(writer, &format!("ended after {} s", COMMAND_LIMIT.as_secs())).await?;
                TIMED_OUT
            }
        }
    };
    writer.exit_status(exit).await?;
    writer.eof().await?;
    writer.close().await
}

async fn complain(writer: &Writer, message: &str) -> Result<(), russh::Error> {
    writer.extended_data_bytes(STDERR, format!("{message}\n").into_bytes()).await
}

async fn execute(state: &State, command: Command, writer: &Writer) -> Result<u32, russh::Error> {
    match command {
        Command::Branches => run_git(state, &["ls-remote", "--heads", "origin"], writer).await,
        Command::Validate { branch } => {
            run_git(state, &["ls-remote", "--heads", "origin", &format!("refs/heads/{branch}")], writer).await
        }
        Command::Present { commit } => {
            run_git(state, &["cat-file", "-e", &format!("{commit}^{{commit}}")], writer).await
        }
        Command::Fetch { branch } => tell(writer, state.repository.fetch_branch(&branch).await.map(|()| vec![])).await,
        Command::Scenarios { commit } => {
            tell(writer, state.repository.list_files(None, &commit, COMMAND_LIMIT).await).await
        }
        Command::CleanUp { queue_id } => clean_up(state, queue_id, writer).await,
    }
}

/// Passes on what git has said, once it has ended.
async fn tell(writer: &Writer, said: Result<Vec<u8>, GitError>) -> Result<u32, russh::Error> {
    match said {
        Ok(output) => {
            writer.data(&output[..]).await?;
            Ok(0)
        }
        Err(GitError::Failed { code, complaint, .. }) => {
            complain(writer, &complaint).await?;
            Ok(code.and_then(|code| u32::try_from(code).ok()).unwrap_or(FAILED))
        }
        Err(error) => {
            complain(writer, &error.to_string()).await?;
            Ok(FAILED)
        }
    }
}

async fn run_git(state: &State, arguments: &[&str], writer: &Writer) -> Result<u32, russh::Error> {
    let repository = &state.repository;
    let (mut child, own) = match repository.git.start(&repository.path, arguments, &[], Stdio::null()) {
        Ok(started) => started,
        Err(error) => {
            complain(writer, &format!("can't run git: {error}")).await?;
            return Ok(FAILED);
        }
    };
    let mut group = GroupGuard::of(&child, own);
    if let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) {
        tokio::try_join!(writer.data(stdout), writer.extended_data(STDERR, stderr))?;
    }
    let status = child.wait().await?;
    group.disarm();
    Ok(exit_of(status))
}

fn exit_of(status: std::process::ExitStatus) -> u32 {
    use std::os::unix::process::ExitStatusExt;
    let signal = || status.signal().and_then(|signal| u32::try_from(signal).ok()).unwrap_or_default();
    status.code().and_then(|code| u32::try_from(code).ok()).unwrap_or_else(|| SIGNAL_BASE + signal())
}

async fn clean_up(state: &State, queue_id: String, writer: &Writer) -> Result<u32, russh::Error> {
    match remove_workspace(state, &queue_id).await {
        Ok(()) => Ok(0),
        Err(problem) => {
            complain(writer, &problem).await?;
            Ok(FAILED)
        }
    }
}

async fn remove_workspace(state: &State, queue_id: &str) -> Result<(), String> {
    let queue = state.store.queue(queue_id.to_owned()).await;
    let queue = queue.map_err(|error| format!("can't tell whether queue {queue_id} has ended: {error}"))?;
    if let Some(queue) = queue {
        if !queue.status.0.is_terminal() {
            return Err(format!("queue {queue_id} has not ended; its workspace is in use"));
        }
        // The checkout of a queue that was aborted may be ending just now.
        state.wait_idle(queue.number).await;
    }
    let folder = state.layout.workspace(queue_id);
    state.no_room.note_begin_of_removal();
    let removed = tokio::task::spawn_blocking(move || crate::layout::remove_tree(&folder)).await;
    let removed = removed.map_err(std::io::Error::from).flatten();
    removed.map_err(|error| format!("the workspace of queue {queue_id} can't be removed: {error}"))?;
    state.note_removal();
    Ok(())
}
