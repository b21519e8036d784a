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

    /// Notes that somebody is looking at a job that has not ended, so that it is asked about more often.
    pub fn look_at(&self, job: JobId, environment: &str, now: Timestamp) {
        let mut looked_at = self.0.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let before = looked_at.insert(job, (environment.to_owned(), now));
        drop(looked_at);
        // Only the first look wakes the loop; it then keeps its own pace for as long as somebody looks.
        if before.is_none_or(|(_, at)| now.since(at) >= LOOKED_AT_FOR) {
            self.looks_of(environment).send_replace(());
        }
    }

    /// Rings when one of an environment's jobs begins to be looked at.
    pub fn listen_for_looks(&self, environment: &str) -> watch::Receiver<()> {
        self.looks_of(environment).subscribe()
    }

    fn looks_of(&self, environment: &str) -> watch::Sender<()> {
        let mut looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.entry(environment.to_owned()).or_default().clone()
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
        let (mut here, there) = (bell.listen_for_looks("bench-a"), bell.listen_for_looks("bench-b"));
        let mut was_rung = || std::mem::replace(&mut here, bell.listen_for_looks("bench-a")).has_changed().unwrap();
        bell.look_at(JobId(7), "bench-a", Timestamp(0));
        assert!(was_rung() && !there.has_changed().unwrap());
        bell.look_at(JobId(7), "bench-a", Timestamp(0));
        assert!(!was_rung(), "it is looked at already");
        assert_eq!(bell.looked_at("bench-b", Timestamp(1)), []);
        assert_eq!(bell.looked_at("bench-a", Timestamp(11_999)), [JobId(7)]);
        assert_eq!(bell.looked_at("bench-a", Timestamp(12_000)), []);
    }
}
