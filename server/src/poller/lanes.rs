//! What the loops of one environment tell each other within the process. Nothing here is missed after a crash:
//! what is due stands in the store, and a running job's logs are asked for again after its next status.

use crate::store::jobs::{Job, Lane};
use protocol::{JobId, JobStatus};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

#[derive(Default)]
pub struct Lanes {
    queue: Notify,
    files: Notify,
    shell: Notify,
    /// Running jobs whose logs may have grown.
    followed: Mutex<BTreeSet<JobId>>,
}

impl Lanes {
    fn of(&self, lane: Lane) -> &Notify {
        match lane {
            Lane::Queue => &self.queue,
            Lane::Files => &self.files,
            Lane::Shell => &self.shell,
        }
    }

    /// A job is due in that lane.
    pub(super) fn wake(&self, lane: Lane) {
        self.of(lane).notify_one();
    }

    pub(super) async fn woken(&self, lane: Lane) {
        self.of(lane).notified().await;
    }

    /// The remote server has spoken of a job: what it has written since is to be fetched.
    pub(super) fn follow(&self, job: &Job) {
        if job.status == JobStatus::InProgress {
            self.followed.lock().unwrap_or_else(PoisonError::into_inner).insert(job.id);
            self.wake(Lane::Files);
        }
    }

    pub(super) fn take_followed(&self) -> BTreeSet<JobId> {
        std::mem::take(&mut *self.followed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
