//! What of a job's logs and results can't be had or is not kept, in words, and how often it is asked for again.

use crate::remote::Refusal;
use crate::store::jobs::Job;
use protocol::{Timestamp, reason};
use std::time::Duration;

/// Answers in a row after which the remote server is believed.
const ANSWERS: u32 = 3;
/// How long it has to say so where it may have started without its files, or lag behind.
const LONG_PATIENCE: Duration = Duration::from_mins(1);
/// Of paths and ids in words.
const MAX_SHOWN_CHARS: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missing {
    #[error("{0}")]
    Refused(Refusal),
    #[error("the remote server lists the result file {path} of {task_id} and does not have it")]
    File { task_id: String, path: String },
    #[error(
        "in the place of the result file {path} of {task_id}, which the remote server lists, there is a page that says 404"
    )]
    Page { task_id: String, path: String },
    #[error("{}", words_of_bad_path(.task_id, .path))]
    BadPath { task_id: String, path: String },
    #[error("the remote server gives {size} of the {listed} bytes of the result file {path} of {task_id}")]
    ShortFile { task_id: String, path: String, size: u64, listed: u64 },
    #[error("the log {log_id} was cut at the remote server: it has {total} bytes there, and {kept} are kept here")]
    CutLog { log_id: String, kept: u64, total: u64 },
    #[error("the remote server gives {kept} of the {said} bytes of the log {log_id}")]
    ShortLog { log_id: String, kept: u64, said: u64 },
    #[error("the remote server has given {kept} bytes of the log {log_id}, and says that it keeps none")]
    LostLog { log_id: String, kept: u64 },
    #[error("the remote server names {said} bytes of the log {log_id}, and says that it keeps none")]
    NoLog { log_id: String, said: u64 },
    #[error("the log {log_id} is longer than {limit} (max_log_bytes), and was cut there")]
    LongLog { log_id: String, limit: String },
    #[error("the list of {task_id}'s result files is longer than can be read; none of them is kept")]
    LongList { task_id: String },
    #[error("there are more than {limit} result files; the others are not kept")]
    ManyFiles { limit: u64 },
    #[error("the result files have more than {limit} (max_results_bytes); not all are kept")]
    ManyBytes { limit: String },
}

fn words_of_bad_path(task_id: &str, path: &str) -> String {
    if path.is_empty() {
        format!("the remote server lists a result file of {task_id} without a path, or without its size in bytes")
    } else {
        format!("the remote server lists the result file {path:?} of {task_id}, which is no path that can be kept")
    }
}

impl Missing {
    /// For how long it is doubted; `None`: it is so at once.
    fn patience(&self) -> Option<Duration> {
        match self {
            Self::Refused(Refusal::UnknownId | Refusal::OtherInstance | Refusal::IdTaken(_) | Refusal::Rejected(_))
            | Self::ShortLog { .. }
            | Self::LostLog { .. }
            | Self::NoLog { .. }
            | Self::Page { .. }
            | Self::ShortFile { .. } => Some(LONG_PATIENCE),
            // Its size is named plainly; only a server that is just starting may name a wrong one.
            Self::CutLog { .. } => Some(Duration::ZERO),
            Self::Refused(Refusal::Gone)
            | Self::File { .. }
            | Self::BadPath { .. }
            | Self::LongLog { .. }
            | Self::LongList { .. }
            | Self::ManyFiles { .. }
            | Self::ManyBytes { .. } => None,
        }
    }

    /// Whether a log that goes on growing may bring it yet.
    pub(super) fn may_come(&self) -> bool {
        matches!(self, Self::ShortLog { .. } | Self::LostLog { .. } | Self::NoLog { .. })
    }

    /// Whether nothing is wrong if it does not come: the server keeps no logs, whatever it says of their size.
    pub(super) fn is_no_loss(&self) -> bool {
        matches!(self, Self::NoLog { .. })
    }

    pub(super) fn is_final(&self) -> bool {
        self.patience().is_none()
    }

    /// A queue that the server never had, or that it has denied for long, has no logs to wait for.
    pub(super) fn is_known_before(&self, job: &Job) -> bool {
        let is_lost = job.status_reason.as_deref() == Some(reason::LOST);
        matches!(self, Self::Refused(_)) && (job.accepted_at.is_none() || is_lost)
    }
}

/// Since when, and how often in a row, something has been missing that may yet come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    since: Timestamp,
    answers: u32,
    /// Whether anything is lost if it does not come: what was said of the other is not counted with it.
    is_loss: bool,
}

impl Doubt {
    pub(super) fn again(before: Option<Self>, missing: &Missing, now: Timestamp) -> Self {
        let is_loss = !missing.is_no_loss();
        let of_same = before.filter(|doubt| doubt.is_loss == is_loss);
        let answers = of_same.map_or(1, |doubt| doubt.answers + 1);
        Self { since: of_same.map_or(now, |doubt| doubt.since), answers, is_loss }
    }

    /// This machine's clock was set by `step` milliseconds.
    pub(super) fn move_by(&mut self, step: i64) {
        self.since.0 = self.since.0.saturating_add(step);
    }

    pub(super) fn is_over(self, missing: &Missing, now: Timestamp) -> bool {
        self.answers >= ANSWERS && now.since(self.since) >= missing.patience().unwrap_or_default()
    }

    /// Until it is asked again.
    pub(super) fn pause(missing: &Missing) -> Duration {
        let long = missing.patience().unwrap_or_default() / (ANSWERS - 1);
        long.max(Duration::from_secs(1)) + Duration::from_millis(1)
    }
}

/// A path or an id as it stands in a sentence: whatever its length is.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]).replace('\0', "\u{fffd}"),
        None => text.replace('\0', "\u{fffd}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_yet_come_is_asked_for_three_times_and_as_long_as_a_server_takes_to_start() {
        let unknown = Missing::Refused(Refusal::UnknownId);
        let (mut now, mut doubt) = (Timestamp(0), None);
        for is_over in [false, false, true] {
            let again = Doubt::again(doubt, &unknown, now);
            assert_eq!(again.is_over(&unknown, now), is_over);
            now = now.plus(Doubt::pause(&unknown));
            doubt = Some(again);
        }
        assert!(now >= Timestamp(60_000));
        let quick = Doubt { since: now, answers: 9, is_loss: true };
        assert!(!quick.is_over(&unknown, now), "many answers at once are one");
        let no_log = Missing::NoLog { log_id: "1".to_owned(), said: 4 };
        let other = Doubt::again(doubt, &no_log, now);
        assert_eq!((other.answers, other.since), (1, now), "that it keeps none says nothing of what it lacks");
    }

    #[test]
    fn a_path_of_megabytes_is_cut_in_a_sentence() {
        assert_eq!(shown(&"ä".repeat(1 << 20)).chars().count(), MAX_SHOWN_CHARS + 1);
        assert_eq!(shown("a\0b"), "a\u{fffd}b");
    }
}
