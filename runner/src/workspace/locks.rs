//! Locks that a power cut or a killed git has left in the clone. Git waits for nobody to take one away: with each of these
//! some of its commands fail for good.

use super::clone_layout::quoted;
use crate::boot::Boot;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Of a working tree: as a rule somebody's own, who may be writing to a commit in it.
const OWN: [&str; 2] = ["HEAD.lock", "index.lock"];
/// Of all of a clone, held for as long as git writes.
const COMMON: [&str; 7] = [
    "packed-refs.lock",
    "shallow.lock",
    "config.lock",
    "gc.pid.lock",
    "objects/info/commit-graph.lock",
    "objects/info/commit-graphs/commit-graph-chain.lock",
    "objects/pack/multi-pack-index.lock",
];
/// Longer than git holds any of them that is not somebody's own.
const LONG: Duration = Duration::from_hours(1);

/// Removes those of the whole clone that were made before the machine was started, and returns how many: as a rule nobody
/// holds them any more. Where the machine's clock was set since, or another machine works in the same clone over a shared
/// disk, one in use may look as old. Of others that are old somebody is told, who knows whether git is at work there. Blocks.
pub(super) fn remove_old_locks(git_dir: &Path, common_dir: &Path) -> usize {
    let now = SystemTime::now();
    let started_at = Boot::now().and_then(|boot| now.checked_sub(boot.up));
    let own = OWN.map(|name| (git_dir.join(name), true));
    let common = COMMON.map(|name| (common_dir.join(name), false));
    let mut removed = 0;
    for (lock, is_own) in own.into_iter().chain(common) {
        let Ok(made_at) = std::fs::symlink_metadata(&lock).and_then(|lock| lock.modified()) else { continue };
        if !is_own && started_at.is_some_and(|started_at| made_at < started_at) {
            removed += usize::from(remove(&lock));
            continue;
        }
        let age = now.duration_since(made_at).unwrap_or_default();
        if age > LONG {
            let (path, minutes, command) = (lock.display(), age.as_secs() / 60, quoted(&lock));
            tracing::warn!(
                %path,
                minutes,
                "{path} is {minutes} minutes old and keeps git from parts of its work; unless some git is at work in the \
                 clone, run `rm {command}`"
            );
        }
    }
    removed
}

fn remove(lock: &Path) -> bool {
    let removed = std::fs::remove_file(lock);
    if let Err(error) = &removed {
        tracing::warn!(path = %lock.display(), %error, "what a power cut has left can't be removed");
    }
    removed.is_ok()
}
