//! Processes that outlived their task or the runner that started them.
//! They are known by the results folder in their environment, which no other process has.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// A killed process is gone after a few milliseconds, unless the kernel holds it; then nobody waits for it.
const GONE_WITHIN: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Kills every process whose environment names this results folder, waits until none is left, and tells how many
/// there were. Blocks. Without a `/proc` it finds none.
pub fn kill_leftovers(results: &Path) -> usize {
    let mark = [b"TESTARENA_RESULTS=", results.as_os_str().as_encoded_bytes()].concat();
    let start = Instant::now();
    let mut killed = HashSet::new();
    loop {
        let found: Vec<Pid> = processes().into_iter().filter(|pid| has_mark(*pid, &mark)).collect();
        if found.is_empty() || start.elapsed() > GONE_WITHIN {
            return killed.len();
        }
        killed.extend(found.into_iter().filter(|pid| kill_process(*pid, Signal::KILL).is_ok()));
        std::thread::sleep(LOOK_EVERY);
    }
}

fn processes() -> Vec<Pid> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw).collect()
}

fn has_mark(pid: Pid, mark: &[u8]) -> bool {
    // Other users' processes can't be read, and are none of ours. One that has died has no environment.
    let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
}
