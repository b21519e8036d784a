//! Starts children, each in a session of its own, and clears away those of others that were left to us.
//! As a subreaper (or as process 1) the runner inherits what its tasks leave behind, dead or alive.

use super::leftovers::{Process, look_at, processes};
use super::mark::{Mark, children, is_marked};
use process_wrap::std::{CommandWrap, CommandWrapper, ProcessSession};
use rustix::process::{
    Pid, Resource, Rlimit, WaitOptions, getpid, getrlimit, prlimit, set_child_subreaper, setrlimit, waitpid,
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
        let own = own.get_or_insert_default();
        own.insert(pid);
        mark.put_on(pid);
        mark_escaped(mark, pid, own);
        if let Some(limit) = OPEN_FILES.get() {
            // A short-lived one may be gone already.
            let _gone = prlimit(Some(pid), Resource::Nofile, *limit);
        }
    }
    Ok((child, Own(pid)))
}

/// Puts the mark also on what lost its parent before the mark was on that parent: it is a child of ours by now.
/// Nobody else's looks like it while we hold the lock: it is no younger than the child, and in a session that we did
/// not give it, while what somebody else in this process starts is in ours.
fn mark_escaped(mark: &Mark, child: Pid, own: &HashSet<Pid>) {
    let Some(child) = look_at(child) else {
        return;
    };
    let us = getpid();
    let our_session = look_at(us).and_then(|us| us.session);
    let mut seen = HashSet::new();
    loop {
        let mut escaped: Vec<Pid> = children(us).into_iter().filter(|pid| !own.contains(pid)).collect();
        escaped.retain(|pid| {
            let is_foreign = |found: Process| found.born >= child.born && found.session != our_session;
            !seen.contains(pid) && look_at(*pid).is_some_and(is_foreign) && !is_marked(*pid)
        });
        if escaped.is_empty() {
            return;
        }
        for pid in escaped {
            mark.put_on(pid);
            seen.insert(pid);
        }
    }
}

/// Lets a command lead a session of its own, so that nothing it starts has a terminal to stop at.
pub fn in_own_session(command: &mut Command) -> io::Result<()> {
    let nothing_else = CommandWrap::from(Command::new("true"));
    ProcessSession.pre_spawn(command, &nothing_else)
}

/// Makes what tasks leave behind ours to end and to reap, and lets us open as many files as we are allowed to.
pub fn prepare_process() {
    if let Err(error) = set_child_subreaper(Some(getpid())) {
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
    let us = getpid();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::kill_leftovers;
    use std::path::{Path, PathBuf};
    use std::process::Stdio;
    use std::time::Instant;

    fn text_of(file: &Path) -> Option<String> {
        std::fs::read_to_string(file).ok().filter(|text| text.ends_with('\n'))
    }

    /// Starts a shell that makes a daemon of nobody's environment, session or parent, and puts the mark on the shell
    /// only when the daemon is there. Meanwhile somebody else in this process starts something too.
    fn start_late(mark: &Mark, folder: &Path, daemon: &str) -> (Pid, std::process::Child) {
        let file: PathBuf = folder.join("pid");
        let text = format!("exec /usr/bin/setsid -f /bin/sh -c 'echo $$ > {}; {daemon}'", file.display());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &text]).env_clear().stdout(Stdio::null()).stderr(Stdio::null());
        in_own_session(&mut command).unwrap();
        let mut bystander = None;
        let spawn = || {
            let child = command.spawn()?;
            bystander = Some(Command::new("/bin/sleep").arg("60").stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
            let start = Instant::now();
            let is_ours = || {
                let pid = text_of(&file)?.trim().parse().ok().and_then(Pid::from_raw)?;
                look_at(pid).filter(|found| found.parent == Some(getpid()))
            };
            while is_ours().is_none() {
                assert!(start.elapsed() < Duration::from_secs(20), "the daemon does not come");
                std::thread::yield_now();
            }
            Ok(child)
        };
        let (mut child, own) = start(mark, spawn, |child| Some(child.id())).unwrap();
        child.wait().unwrap();
        drop(own);
        let daemon = text_of(&file).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
        (daemon, bystander.unwrap())
    }

    #[test]
    fn a_daemon_that_was_quicker_than_the_mark_bears_it_all_the_same() {
        prepare_process();
        let folder = tempfile::tempdir().unwrap();
        let (mark, other) = (Mark::new("X", folder.path()), Mark::new("X", &folder.path().join("other")));
        let (daemon, mut bystander) = start_late(&mark, folder.path(), "exec /bin/sleep 60");
        assert!(mark.is_on(daemon) && !other.is_on(daemon));
        assert_eq!(kill_leftovers(&mark).killed, 1, "the daemon alone");
        assert!(look_at(daemon).is_none_or(|found| found.is_dead));
        assert_eq!(bystander.try_wait().unwrap(), None, "it is somebody else's");
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }

    #[test]
    fn what_died_before_the_mark_came_is_reaped_too() {
        prepare_process();
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark::new("X", folder.path());
        let (daemon, mut bystander) = start_late(&mark, folder.path(), "exit");
        bystander.kill().unwrap();
        bystander.wait().unwrap();
        let start = Instant::now();
        while look_at(daemon).is_some() {
            reap_inherited();
            assert!(start.elapsed() < Duration::from_secs(20), "it is still there, dead");
            std::thread::yield_now();
        }
    }
}
