//! Processes that outlived their task or the runner that started them.
//! They are known by the results folder in their environment, which no other process has.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// Kills every process whose environment names this results folder, and tells how many. Blocks.
/// Without a `/proc` it finds none.
pub fn kill_leftovers(results: &Path) -> usize {
    let mark = [b"TESTARENA_RESULTS=", results.as_os_str().as_encoded_bytes()].concat();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return 0;
    };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw)
        .filter(|pid| has_mark(*pid, &mark) && kill_process(*pid, Signal::KILL).is_ok())
        .count()
}

fn has_mark(pid: Pid, mark: &[u8]) -> bool {
    // Other users' processes can't be read, and are none of ours.
    let environment = std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
}
