//! Which start of the machine this is, and how long ago it was: facts that no change of the machine's time touches.

use std::time::Duration;

/// Another one after each start of the machine.
const ID: &str = "/proc/sys/kernel/random/boot_id";
/// Its first word are seconds since that start, with those in which the machine was suspended.
const UP: &str = "/proc/uptime";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    pub id: String,
    pub up: Duration,
}

impl Boot {
    /// `None` where the machine does not tell. Blocks for no longer than a look into memory.
    pub fn now() -> Option<Self> {
        let id = std::fs::read_to_string(ID).ok().filter(|id| !id.is_empty())?;
        let up: f64 = std::fs::read_to_string(UP).ok()?.split_whitespace().next()?.parse().ok()?;
        Some(Self { id, up: Duration::try_from_secs_f64(up).ok()? })
    }
}
