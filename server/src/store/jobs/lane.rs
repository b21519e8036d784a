//! Which of the poller's loops takes a job next. It stands in the row, kept by every save, so that what is due in one
//! loop is found without looking at what waits for the others.

use super::Job;
use protocol::UnknownWord;
use protocol::api::{CleanupState, LogsState};
use protocol::reason;
use std::fmt;
use std::str::FromStr;

/// A loop of an environment. What takes long in one must not hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// It is to be sent, in the order of submission.
    Send,
    /// Somebody waits for it: aborts, deletions, and what is done here without the remote server.
    Act,
    /// It is asked about.
    Ask,
    /// Its logs and result files are fetched next.
    Files,
    /// Its workspace is cleaned up next.
    Shell,
}

impl Lane {
    pub const ALL: [Self; 5] = [Self::Send, Self::Act, Self::Ask, Self::Files, Self::Shell];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Act => "act",
            Self::Ask => "ask",
            Self::Files => "files",
            Self::Shell => "shell",
        }
    }
}

impl FromStr for Lane {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == word).ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Job {
    /// The lane of what is next for the job as it stands: `lifecycle::next_step` without limits and time.
    pub(crate) fn lane_now(&self) -> Lane {
        if self.delete_requested_at.is_some() {
            let is_to_be_cleaned = self.status.is_terminal()
                && may_be_there(self)
                && self.remote_deleted_at.is_some()
                && self.cleaned_at.is_none();
            return if is_to_be_cleaned { Lane::Shell } else { Lane::Act };
        }
        if self.status.is_terminal() {
            return self.lane_after_end();
        }
        if self.abort_requested_at.is_some() {
            return Lane::Act;
        }
        if self.accepted_at.is_some() { Lane::Ask } else { Lane::Send }
    }

    fn lane_after_end(&self) -> Lane {
        if self.logs_state == LogsState::Mirroring {
            return Lane::Files;
        }
        let is_to_be_cleaned = self.cleanup_state == CleanupState::Pending && !self.may_still_run();
        if is_to_be_cleaned { Lane::Shell } else { Lane::Act }
    }

    /// A queue that the server no longer knew may run on there until its deletion is confirmed.
    pub fn may_still_run(&self) -> bool {
        let ended_unknown = self.status.is_terminal() && self.unknown_since.is_some();
        let is_lost = self.status_reason.as_deref() == Some(reason::LOST);
        (ended_unknown || is_lost) && self.remote_deleted_at.is_none()
    }
}

/// Whether something of this job's own may be at the remote server, to be aborted, deleted or cleaned there.
pub fn has_own_queue(job: &Job) -> bool {
    let never_became_ours =
        matches!(job.status_reason.as_deref(), Some(reason::REJECTED | reason::ID_TAKEN | reason::OTHER_INSTANCE));
    job.submit_attempted_at.is_some() && !never_became_ours
}

/// Whether anything of this job's own may still be at the remote server.
pub fn may_be_there(job: &Job) -> bool {
    let is_all_gone = job.remote_deleted_at.is_some() && job.cleaned_at.is_some();
    has_own_queue(job) && !is_all_gone
}
