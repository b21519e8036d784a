//! How processes are known as somebody's: by a variable in their environment, and by a limit that they all inherit.
//! The limit stays where a process clears its environment, forks twice and leaves its session behind.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Marks are numbers from here up, and stand in the limit on the processor time of real-time processes, in
/// microseconds: it is inherited, everybody may read it, and so high it never takes effect (70,000 years).
const FIRST: u64 = 1 << 61;

/// What tells the processes of one task, or one runner's git, from all others.
#[derive(Clone, Debug)]
pub struct Mark {
    variable: (&'static str, String),
    number: u64,
}

impl Mark {
    /// A mark made of a folder that nobody else has.
    pub fn new(variable: &'static str, folder: &Path) -> Self {
        let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
        let number = digest[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        Self { variable: (variable, folder.to_string_lossy().into_owned()), number: FIRST | (number & (FIRST - 1)) }
    }

    /// The variable that the marked processes are given.
    pub fn variable(&self) -> (&'static str, &str) {
        (self.variable.0, &self.variable.1)
    }

    pub fn is_on(&self, pid: Pid) -> bool {
        if number_of(pid) == Some(self.number) {
            return true;
        }
        // Other users' can't be read, and are none of ours. One that has died has no environment.
        let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        let wanted = format!("{}={}", self.variable.0, self.variable.1);
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    }

    /// Puts the mark on a process and on what it has started by now; the rest is born with it.
    /// Where an administrator has set that limit it stays as it is; the variable must do then.
    pub fn put_on(&self, pid: Pid) {
        let ours = getrlimit(Resource::Rttime);
        if ours.current.is_some_and(|number| number < FIRST) {
            return;
        }
        let marked = Rlimit { current: Some(self.number), maximum: ours.maximum };
        let mut todo = vec![pid];
        while let Some(pid) = todo.pop() {
            // One that is gone needs none.
            if prlimit(Some(pid), Resource::Rttime, marked).is_ok() {
                todo.extend(children(pid));
            }
        }
    }
}

/// A process's children, also the dead, by the threads that started or inherited them.
pub fn children(pid: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).into_iter().flatten().flatten();
    let lists = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let lists: Vec<String> = lists.collect();
    let words = lists.iter().flat_map(|list| list.split_whitespace());
    words.filter_map(|child| child.parse().ok()).filter_map(Pid::from_raw).collect()
}

/// Whether a process has anybody's mark. It can also be asked of one that is dead and not yet reaped.
pub fn is_marked(pid: Pid) -> bool {
    number_of(pid).is_some()
}

/// The line is `Max realtime timeout   <soft>   <hard>   us`.
fn number_of(pid: Pid) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"))?;
    line.split_whitespace().next()?.parse().ok().filter(|number| *number >= FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_has_a_mark_of_its_own() {
        let mark = |folder: &str| Mark::new("X", Path::new(folder)).number;
        assert_eq!(mark("/a"), mark("/a"));
        assert_ne!(mark("/a"), mark("/b"));
        assert!((FIRST..FIRST << 1).contains(&mark("/a")));
    }
}
