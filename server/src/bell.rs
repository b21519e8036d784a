//! How handlers and poller wake each other inside one process. A ring carries no data:
//! what is to be done, and what was done, stands in the store, so a lost ring costs one interval and nothing else.

use protocol::{JobId, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a job counts as looked at after somebody asked for it: twice the page's polling interval and a little.
const LOOKED_AT_FOR: Duration = Duration::from_secs(12);

/// Cheap to clone; all clones are one bell.
#[derive(Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Default)]
struct Inner {
    work: watch::Sender<()>,
    saved: watch::Sender<()>,
    /// With the environment whose loop has to know, so that the others sleep on.
    looked_at: Mutex<HashMap<JobId, (String, Timestamp)>>,
}

impl Bell {
    /// Tells the poller that the store holds something new to do.
    pub fn ring_work(&self) {
        self.0.work.send_replace(());
    }

    pub fn listen_for_work(&self) -> watch::Receiver<()> {
        self.0.work.subscribe()
    }

    /// Tells waiting readers that some job changed.
    pub fn ring_saved(&self) {
        self.0.saved.send_replace(());
    }

    pub fn listen_for_saved(&self) -> watch::Receiver<()> {
        self.0.saved.subscribe()
    }

    /// Notes that somebody is looking at a job that has not ended, so that it is asked about more often.
    pub fn look_at(&self, job: JobId, environment: &str, now: Timestamp) {
        let mut looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        looked_at.insert(job, (environment.to_owned(), now));
    }

    /// The jobs of an environment that somebody is looking at.
    pub fn looked_at(&self, environment: &str, now: Timestamp) -> Vec<JobId> {
        let mut looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        looked_at.retain(|_, (_, at)| now.since(*at) < LOOKED_AT_FOR);
        looked_at.iter().filter(|(_, (of, _))| of == environment).map(|(job, _)| *job).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_counts_as_looked_at_for_a_while() {
        let bell = Bell::default();
        bell.look_at(JobId(7), "bench-a", Timestamp(0));
        assert_eq!(bell.looked_at("bench-b", Timestamp(1)), []);
        assert_eq!(bell.looked_at("bench-a", Timestamp(11_999)), [JobId(7)]);
        assert_eq!(bell.looked_at("bench-a", Timestamp(12_000)), []);
    }
}
