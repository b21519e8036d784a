//! What was last reckoned of each environment's waiting line, for as long as it is good.

use crate::kept::locked;
use protocol::JobId;
use protocol::api::Estimate;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a reckoning is good: the page asks as often.
const KEPT_FOR: Duration = Duration::from_secs(5);
/// What one look at the line has come to.
#[derive(Default)]
pub(crate) struct Reckoning {
    pub(crate) by_job: HashMap<JobId, Estimate>,
    /// Of those that stood in the line.
    pub(crate) newest: Option<JobId>,
}

/// The last reckoning of each environment. Cheap to clone; all clones share one memory.
#[derive(Clone, Default)]
pub struct Estimates(Arc<Mutex<HashMap<String, (Instant, Reckoning)>>>);

impl Estimates {
    /// `None`: the line is to be looked at anew, also for a job that has joined it since.
    pub(crate) fn known(&self, environment: &str, job: JobId) -> Option<Estimate> {
        let kept = locked(&self.0);
        let (_, reckoning) = kept.get(environment).filter(|(at, _)| at.elapsed() < KEPT_FOR)?;
        let was_there = reckoning.newest.is_some_and(|newest| job <= newest);
        was_there.then(|| reckoning.by_job.get(&job).copied().unwrap_or_default())
    }

    pub(crate) fn keep(&self, environment: String, reckoning: Reckoning) {
        locked(&self.0).insert(environment, (Instant::now(), reckoning));
    }
}
