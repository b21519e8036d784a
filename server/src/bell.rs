//! How handlers and poller wake each other inside one process. A ring carries no data:
//! what is to be done, and what was done, stands in the store, so a lost ring costs one interval and nothing else.

use protocol::JobId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Who goes on looking at a job is noted in the store again after so long.
const NOTED_FOR: Duration = Duration::from_secs(15);
/// Most jobs of which is remembered that somebody looks at them; past that all are noted anew.
const MOST_LOOKED_AT: usize = 10_000;

/// Cheap to clone; all clones are one bell.
#[derive(Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Default)]
struct Inner {
    work: watch::Sender<()>,
    saved: watch::Sender<()>,
    /// When each was last noted in the store as looked at.
    looked_at: Mutex<HashMap<JobId, Instant>>,
    /// By environment: rings when one of its jobs begins to be looked at.
    looks: Mutex<HashMap<String, watch::Sender<()>>>,
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

    /// Whether that somebody is looking at a job is to be noted in the store now, as nobody has for some time.
    pub fn begins_to_look(&self, job: JobId) -> bool {
        let mut looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_at.get(&job).is_some_and(|noted| noted.elapsed() < NOTED_FOR) {
            return false;
        }
        if looked_at.len() >= MOST_LOOKED_AT {
            looked_at.clear();
        }
        looked_at.insert(job, Instant::now());
        true
    }

    /// Tells an environment's loop that one of its jobs is looked at.
    pub fn ring_look(&self, environment: &str) {
        self.looks_of(environment).send_replace(());
    }

    /// Rings when one of an environment's jobs begins to be looked at.
    pub fn listen_for_looks(&self, environment: &str) -> watch::Receiver<()> {
        self.looks_of(environment).subscribe()
    }

    fn looks_of(&self, environment: &str) -> watch::Sender<()> {
        let mut looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.entry(environment.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_look_is_noted_at_most_once_in_a_while() {
        let bell = Bell::default();
        assert!(bell.begins_to_look(JobId(7)) && !bell.begins_to_look(JobId(7)) && bell.begins_to_look(JobId(8)));
        tokio::time::advance(NOTED_FOR).await;
        assert!(bell.begins_to_look(JobId(7)));
    }
}
