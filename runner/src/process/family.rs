//! Starts children, each in a session of its own, and clears away those of others that were left to us.
//! As a subreaper (or as process 1) the runner inherits what its tasks leave behind, dead or alive.

use super::leftovers::processes;
use super::mark::{Mark, is_marked};
use process_wrap::std::{CommandWrap, CommandWrapper, ProcessSession};
use rustix::process::{
    Pid, Resource, Rlimit, WaitOptions, getrlimit, prlimit, set_child_subreaper, setrlimit, waitpid,
};
use std::collections::HashSet;
use std::io;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Our own children, whose end somebody waits for. Held while one is started and while others are reaped.
static OWN: Mutex<Option<HashSet<Pid>>> = Mutex::new(None);
/// The limit of open files that this process was started with, which is what its children get.
static OPEN_FILES: OnceLock<Rlimit> = OnceLock::new();
/// A burst of deaths is cleared away in one go.
const REAP_AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// Signals of dying children can get lost in one another.
const REAP_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// One of our own children, until its end has been seen.
#[derive(Debug)]
pub struct Own(Option<Pid>);

impl Drop for Own {
    fn drop(&mut self) {
        if let (Some(pid), Some(own)) = (self.0, lock().as_mut()) {
            own.remove(&pid);
        }
    }
}

fn lock() -> MutexGuard<'static, Option<HashSet<Pid>>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a child and puts a mark on it. Keep the second value until the child has been waited for.
pub fn start<C>(
    mark: &Mark,
    start: impl FnOnce() -> io::Result<C>,
    id: impl FnOnce(&C) -> Option<u32>,
) -> io::Result<(C, Own)> {
    let mut own = lock();
    let child = start()?;
    let pid = id(&child).and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        own.get_or_insert_default().insert(pid);
        mark.put_on(pid);
        if let Some(limit) = OPEN_FILES.get() {
            // A short-lived one may be gone already.
            let _gone = prlimit(Some(pid), Resource::Nofile, *limit);
        }
    }
    Ok((child, Own(pid)))
}

/// Lets a command lead a session of its own, so that nothing it starts has a terminal to stop at.
pub fn in_own_session(command: &mut Command) -> io::Result<()> {
    let nothing_else = CommandWrap::from(Command::new("true"));
    ProcessSession.pre_spawn(command, &nothing_else)
}

/// Makes what tasks leave behind ours to end and to reap, and lets us open as many files as we are allowed to.
pub fn prepare_process() {
    if let Err(error) = set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "processes that tasks leave behind can't be inherited here");
    }
    let limit = OPEN_FILES.get_or_init(|| getrlimit(Resource::Nofile));
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// How many files this process may have open.
pub fn open_files() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Clears away what dies of others' children until the runner stops.
pub async fn reap(stop: CancellationToken) -> Result<(), String> {
    let failed = |error: io::Error| format!("can't hear of children that end: {error}");
    let mut deaths = signal(SignalKind::child()).map_err(failed)?;
    loop {
        let reaped = tokio::task::spawn_blocking(reap_inherited).await.map_err(|error| error.to_string())?;
        if reaped > 0 {
            tracing::debug!(processes = reaped, "cleared away processes that somebody left behind");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = deaths.recv() => {}
            () = tokio::time::sleep(REAP_AT_LEAST_EVERY) => {}
        }
        tokio::time::sleep(REAP_AT_MOST_EVERY).await;
    }
}

/// Reaps dead children that are not our own and tells how many there were. Process 1 has nobody behind it, so it
/// takes every one; any other only those with a mark, since its other children are somebody's in this process.
/// Blocks.
pub fn reap_inherited() -> usize {
    let own = lock();
    let us = rustix::process::getpid();
    let is_first = us.as_raw_nonzero().get() == 1;
    let dead = processes().into_iter().filter(|process| process.is_dead && process.parent == Some(us));
    let mut reaped = 0;
    for process in dead {
        let is_own = own.as_ref().is_some_and(|own| own.contains(&process.pid));
        if !is_own && (is_first || is_marked(process.pid)) {
            let ended = waitpid(Some(process.pid), WaitOptions::NOHANG);
            reaped += usize::from(matches!(ended, Ok(Some(_))));
        }
    }
    reaped
}
