//! From rows to bodies, field by field: what is stored and what is shown are two things, even where they look alike.

use crate::state::AppState;
use crate::store::jobs::Job;
use crate::store::listing;
use crate::store::tasks::Task;
use crate::store::users::User;
use protocol::Timestamp;
use protocol::api::{self, SyncState, UserRef};
use std::time::Duration;

impl From<&User> for api::User {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            username: user.username.clone(),
            is_admin: user.is_admin,
            must_change_password: user.must_change_password,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
        }
    }
}

/// What of its environment a job's body shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) is_configured: bool,
    /// When all of the environment's open jobs were last known to be as they stand here.
    pub(super) round_at: Option<Timestamp>,
}

impl Surroundings {
    pub(super) fn of(job: &Job, state: &AppState, round_at: Option<Timestamp>) -> Self {
        Self { is_configured: state.environments.contains_key(&job.environment), round_at }
    }
}

/// A job as it is about to be shown.
pub(super) struct Shown {
    pub(super) job: Job,
    pub(super) username: String,
    pub(super) surroundings: Surroundings,
}

impl Shown {
    pub(super) fn synced_at(&self) -> Option<Timestamp> {
        let Job { status, sync_state, last_synced_at, .. } = self.job;
        listing::synced_at(status, sync_state, last_synced_at, self.surroundings.round_at)
    }

    pub(super) fn version(&self) -> String {
        listing::version(self.job.revision, &self.username, self.surroundings.is_configured)
    }

    fn sync(&self) -> api::Sync {
        let last_synced_at = self.synced_at();
        if !self.surroundings.is_configured {
            return api::Sync { state: SyncState::Failing, last_synced_at, error: Some("not configured".to_owned()) };
        }
        api::Sync { state: self.job.sync_state, last_synced_at, error: self.job.sync_error.clone() }
    }

    pub(super) fn with_tasks(self, tasks: Vec<Task>) -> api::Job {
        let scenarios = tasks.iter().map(|task| task.scenario.clone()).collect();
        let tasks = tasks.into_iter().map(|task| task_body(&self.job, task)).collect();
        api::Job { summary: self.into(), scenarios, tasks }
    }
}

impl From<Shown> for api::JobSummary {
    fn from(shown: Shown) -> Self {
        let (sync, counts) = (shown.sync(), shown.job.counts());
        let Shown { job, username, .. } = shown;
        Self {
            id: job.id,
            user: UserRef { id: job.user_id, username },
            environment: job.environment,
            branch_name: job.branch_name,
            commit: job.commit_hash,
            status: job.status,
            status_reason: job.status_reason,
            remote_queue_id: job.remote_queue_id,
            rerun_of: job.rerun_of,
            position: job.position.and_then(|position| u32::try_from(position).ok()),
            counts,
            sync,
            // Noted for good in the row; shown until the remote server has confirmed.
            abort_requested: job.abort_requested_at.is_some() && job.finished_at.is_none(),
            delete_requested: job.delete_requested_at.is_some(),
            logs: api::Logs { state: job.logs_state, error: job.logs_error },
            cleanup: api::Cleanup { state: job.cleanup_state, error: job.cleanup_error },
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            timeout_s: Duration::from_millis(u64::try_from(job.timeout_ms).unwrap_or(0)).as_secs(),
            estimate: api::Estimate::default(),
        }
    }
}

fn task_body(job: &Job, task: Task) -> api::Task {
    let ran_ms = |start: Timestamp, end: Timestamp| end.0.saturating_sub(start.0).max(0);
    api::Task {
        task_id: job.task_id(task.n),
        scenario: task.scenario,
        status: task.status,
        progress: task.progress,
        message: task.message,
        exit_code: task.exit_code,
        started_at: task.started_at,
        finished_at: task.finished_at,
        duration_ms: task.started_at.zip(task.finished_at).map(|(start, end)| ran_ms(start, end)),
        log_size: u64::try_from(task.log_size).unwrap_or(0),
        last_passed: None,
    }
}
