//! How the last commands over SSH fared, for administrators: of the connection, of questions, of clean-ups.
//! Three facts, since one that works says nothing of the others: git may answer while `rm` is refused.

use super::Failure;
use protocol::Timestamp;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What has not changed is told again after this time, since another process may have noted something else meanwhile.
const REPEAT_AFTER: Duration = Duration::from_secs(15);

/// What is wrong with one of the three, if it has been tried here and anything is.
pub type Fared = Option<Option<String>>;

/// As far as this process has seen it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshStatus {
    pub connection: Fared,
    pub questions: Fared,
    pub cleanups: Fared,
    /// The fingerprint that the server showed last, trusted or not.
    pub host_key: Option<String>,
    /// When it was noted; `None`: nothing has been tried.
    pub at: Option<Timestamp>,
}

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody waits for the answer.
    Question,
    CleanUp,
}

pub struct SshState {
    told: watch::Sender<SshStatus>,
    told_at: std::sync::Mutex<Option<Instant>>,
}

impl Default for SshState {
    fn default() -> Self {
        Self { told: watch::Sender::new(SshStatus::default()), told_at: std::sync::Mutex::default() }
    }
}

impl SshState {
    /// Each change, and what stays as it is from time to time.
    pub fn watch(&self) -> watch::Receiver<SshStatus> {
        self.told.subscribe()
    }

    pub fn status(&self) -> SshStatus {
        self.told.borrow().clone()
    }

    /// A command could not be brought to the server, or broke there.
    pub fn no_connection(&self, failure: &Failure, host_key: Option<String>) {
        self.note(|status| {
            status.connection = Some(Some(failure.private().to_owned()));
            status.host_key = host_key.or(status.host_key.take());
        });
    }

    /// A command ran to its end.
    pub fn ran(&self, purpose: Purpose, outcome: Result<(), &Failure>, host_key: Option<String>) {
        let fared = Some(outcome.err().map(|failure| failure.private().to_owned()));
        self.note(|status| {
            status.connection = Some(None);
            match purpose {
                Purpose::Question => status.questions = fared,
                Purpose::CleanUp => status.cleanups = fared,
            }
            status.host_key = host_key.or(status.host_key.take());
        });
    }

    fn note(&self, change: impl FnOnce(&mut SshStatus)) {
        let mut told_at = self.told_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.told.send_if_modified(|status| {
            let before = SshStatus { at: None, ..status.clone() };
            change(status);
            let is_news = SshStatus { at: None, ..status.clone() } != before;
            if !is_news && told_at.is_some_and(|at| at.elapsed() < REPEAT_AFTER) {
                return false;
            }
            status.at = Some(Timestamp::now());
            *told_at = Some(Instant::now());
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_works_does_not_hide_a_clean_up_that_does_not() {
        let state = SshState::default();
        let denied = Failure::from("rm: Permission denied");
        state.ran(Purpose::CleanUp, Err(&denied), Some("SHA256:a".into()));
        state.ran(Purpose::Question, Ok(()), None);
        let status = state.status();
        assert_eq!(status.cleanups, Some(Some("rm: Permission denied".to_owned())));
        assert_eq!((status.connection, status.questions), (Some(None), Some(None)));
        assert_eq!(status.host_key.as_deref(), Some("SHA256:a"));
    }

    #[tokio::test]
    async fn what_stays_as_it_is_is_not_told_each_time() {
        let state = SshState::default();
        let mut watcher = state.watch();
        for is_news in [true, false, false] {
            state.ran(Purpose::Question, Ok(()), None);
            assert_eq!(watcher.has_changed().unwrap(), is_news);
            watcher.mark_unchanged();
        }
        state.no_connection(&"connection refused".into(), None);
        assert!(watcher.has_changed().unwrap());
    }
}
