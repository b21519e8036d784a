//! Processes that outlived their task or the runner that started them.
//! They are those with its mark, and all that descends from them.

use super::mark::Mark;
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// A killed process is gone after a few milliseconds, unless the kernel holds it; then nobody waits for it.
const GONE_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Most processes that a sentence names.
const MAX_NAMES: usize = 5;

/// A process as `/proc` tells of it.
pub struct Process {
    pub pid: Pid,
    pub parent: Option<Pid>,
    pub session: Option<Pid>,
    /// In the clock's ticks since the machine's start.
    pub born: u64,
    /// Its end has not been seen by its parent yet.
    pub is_dead: bool,
}

/// What became of processes that were left behind.
#[derive(Debug)]
pub struct Leftovers {
    pub killed: usize,
    /// Those that could not be ended: another user's, or held by the kernel. Ids and names, made printable.
    pub left: Vec<String>,
}

impl Leftovers {
    /// A sentence about those that live on.
    pub fn complaint(&self) -> Option<String> {
        let names = self.left.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if self.left.len() > MAX_NAMES { ", …" } else { "" };
        match self.left.len() {
            0 => None,
            1 => Some(format!("1 of its processes still runs, as it could not be ended: {names}")),
            count => Some(format!("{count} of its processes still run, as they could not be ended: {names}{more}")),
        }
    }
}

/// Kills every process with this mark, waits until none is left, and tells how many there were.
/// Blocks. Without a `/proc` it finds none.
pub fn kill_leftovers(mark: &Mark) -> Leftovers {
    let start = Instant::now();
    let mut killed = HashSet::new();
    loop {
        let found = living(mark);
        if found.is_empty() {
            return Leftovers { killed: killed.len(), left: Vec::new() };
        }
        if start.elapsed() > GONE_WITHIN {
            tracing::error!(processes = found.len(), "processes that were left behind can't be ended");
            return Leftovers { killed: killed.len(), left: found.into_iter().map(in_words).collect() };
        }
        killed.extend(found.into_iter().filter(|pid| kill_process(*pid, Signal::KILL).is_ok()));
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Id and name.
fn in_words(pid: Pid) -> String {
    let pid = pid.as_raw_nonzero();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{pid} {}", name.trim_end().escape_debug())
}

/// Kills those that are there now, without waiting for their end.
pub fn kill_once(mark: &Mark) {
    for pid in living(mark) {
        // It may have ended by itself.
        let _gone = kill_process(pid, Signal::KILL);
    }
}

/// Those with the mark, and their descendants: a child may have put on other limits and another environment.
fn living(mark: &Mark) -> HashSet<Pid> {
    let mut others: Vec<Process> = processes();
    others.retain(|process| !process.is_dead && process.pid != getpid());
    let mut found = HashSet::new();
    others.retain(|process| !(mark.is_on(process.pid) && found.insert(process.pid)));
    loop {
        let before = found.len();
        others.retain(|process| {
            let is_child = process.parent.is_some_and(|parent| found.contains(&parent));
            !(is_child && found.insert(process.pid))
        });
        if found.len() == before {
            return found;
        }
    }
}

/// All processes. One that ends meanwhile is left out.
pub fn processes() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw).filter_map(look_at).collect()
}

/// `None`: not running any more.
pub fn look_at(pid: Pid) -> Option<Process> {
    parse_stat(pid, &std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?)
}

/// The line is `<pid> (<name>) <state> <parent> <group> <session> …`, its 22nd word when the process was born;
/// the name may hold anything.
fn parse_stat(pid: Pid, line: &[u8]) -> Option<Process> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&line[name_end + 1..]).ok()?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    // Of one that has just ended, group and session are -1.
    let id = |at: usize| words.get(at)?.parse().ok().filter(|id| *id > 0).and_then(Pid::from_raw);
    let is_dead = matches!(*words.first()?, "Z" | "X" | "x");
    Some(Process { pid, parent: id(1), session: id(3), born: words.get(19)?.parse().ok()?, is_dead })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_process_that_has_just_ended_the_system_tells_no_session() {
        let tail = "0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 770 0 0";
        let us = getpid();
        let dead = parse_stat(us, format!("9 (a) b) Z 7 -1 -1 {tail}").as_bytes()).unwrap();
        assert_eq!((dead.parent, dead.session, dead.born, dead.is_dead), (Pid::from_raw(7), None, 770, true));
        let alive = parse_stat(us, format!("9 (sh) S 7 9 8 {tail}").as_bytes()).unwrap();
        assert_eq!((alive.session, alive.is_dead), (Pid::from_raw(8), false));
    }
}
