//! The lanes of one environment within the process: which jobs each has under way, and how they wake each other.
//! Nothing here is missed after a crash: what is due stands in the store, and a running job's logs are asked for again
//! after its next status.

use super::{Poller, STORE_RETRY, locked};
use crate::remote::Remote;
use crate::store::StoreError;
use crate::store::jobs::{self, Job, Lane};
use protocol::{JobId, JobStatus, Timestamp};
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Jobs under way at once per lane: enough to hide latency, few enough to spare the server.
pub(super) const JOBS_AT_ONCE: usize = 8;
/// A pass that has seen no job through for so long leaves those under way to themselves.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// Pause of a job that the store refuses to save.
const SET_ASIDE: Duration = Duration::from_secs(30);

pub struct Lanes {
    send: Work,
    act: Work,
    ask: Work,
    /// Of ended jobs the rest.
    files: Work,
    /// Of running jobs what is new.
    follow: Work,
    shell: Work,
    followed: Mutex<Followed>,
    all: TaskTracker,
    /// The term that all of these serve.
    term: Mutex<CancellationToken>,
}

/// Running jobs whose logs may have grown.
#[derive(Default)]
struct Followed {
    jobs: BTreeSet<JobId>,
    /// The last one that was taken up; those behind it come next.
    last: Option<JobId>,
}

#[derive(Default)]
struct Work {
    is_due: Notify,
    under_way: Mutex<BTreeSet<JobId>>,
}

/// What a job's files are fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// It runs, and what its logs have grown by is fetched.
    Follow,
    /// It has ended, and all the rest is fetched, however long that takes.
    Finish,
}

impl Errand {
    pub(super) fn of(job: &Job) -> Self {
        if job.status.is_terminal() { Self::Finish } else { Self::Follow }
    }
}

/// As many at once of each errand, for the same reason as `Lanes::has_turn`.
pub(super) struct Turns {
    follow: Semaphore,
    finish: Semaphore,
}

impl Turns {
    pub(super) fn of(at_once: usize) -> Self {
        Self { follow: Semaphore::new(at_once), finish: Semaphore::new(at_once) }
    }

    /// Nobody closes them, so that there is always a turn to come.
    pub(super) async fn take(&self, errand: Errand) -> Option<SemaphorePermit<'_>> {
        let turns = match errand {
            Errand::Follow => &self.follow,
            Errand::Finish => &self.finish,
        };
        turns.acquire().await.ok()
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            send: Work::default(),
            act: Work::default(),
            ask: Work::default(),
            files: Work::default(),
            follow: Work::default(),
            shell: Work::default(),
            followed: Mutex::default(),
            all: TaskTracker::new(),
            term: Mutex::default(),
        }
    }
}

impl Lanes {
    fn of(&self, lane: Lane) -> &Work {
        match lane {
            Lane::Send => &self.send,
            Lane::Act => &self.act,
            Lane::Ask => &self.ask,
            Lane::Files => &self.files,
            Lane::Shell => &self.shell,
        }
    }

    fn of_errand(&self, errand: Errand) -> &Work {
        match errand {
            Errand::Follow => &self.follow,
            Errand::Finish => &self.files,
        }
    }

    /// A job is due in that lane; of files, one that has ended. Those that run are followed after their next status.
    pub(super) fn wake(&self, lane: Lane) {
        self.of(lane).is_due.notify_one();
    }

    pub(super) async fn woken(&self, lane: Lane) {
        self.of(lane).is_due.notified().await;
    }

    pub(super) async fn woken_for(&self, errand: Errand) {
        self.of_errand(errand).is_due.notified().await;
    }

    pub(super) fn under_way(&self, lane: Lane) -> Vec<JobId> {
        let mut ids: Vec<JobId> = locked(&self.of(lane).under_way).iter().copied().collect();
        if lane == Lane::Files {
            ids.extend(locked(&self.follow.under_way).iter());
        }
        ids
    }

    /// The remote server has spoken of a job: what it has written since is to be fetched.
    pub(super) fn follow(&self, job: &Job) {
        if job.status == JobStatus::InProgress {
            locked(&self.followed).jobs.insert(job.id);
            self.follow.is_due.notify_one();
        }
    }

    /// What is next for the job may be any lane's.
    pub(super) fn wake_all(&self) {
        for lane in Lane::ALL {
            self.wake(lane);
        }
    }

    /// Those that are not under way already, from behind the last one that was taken up, so that logs which never come keep
    /// nobody waiting for ever.
    pub(super) fn take_followed(&self) -> Vec<JobId> {
        let under_way: BTreeSet<JobId> = self.under_way(Lane::Files).into_iter().collect();
        let mut followed = locked(&self.followed);
        let (later, now): (_, BTreeSet<JobId>) =
            std::mem::take(&mut followed.jobs).into_iter().partition(|id| under_way.contains(id));
        followed.jobs = later;
        let (before, behind): (Vec<_>, Vec<_>) = now.into_iter().partition(|id| Some(*id) <= followed.last);
        behind.into_iter().chain(before).collect()
    }

    /// These have found no turn.
    pub(super) fn put_back_followed(&self, jobs: Vec<JobId>) {
        let is_waited_for = !jobs.is_empty();
        locked(&self.followed).jobs.extend(jobs);
        // One may have ended just before, when nobody seemed to wait.
        if is_waited_for && self.has_turn(Errand::Follow) {
            self.follow.is_due.notify_one();
        }
    }

    /// Whether one more job may be under way on the errand: as many at once on each, so that ended jobs, whose files may take
    /// hours, take no turn away from the logs of running ones.
    fn has_turn(&self, errand: Errand) -> bool {
        locked(&self.of_errand(errand).under_way).len() < JOBS_AT_ONCE
    }

    /// What is begun from now on is left where it stands when this term ends.
    pub(super) fn serve(&self, term: &CancellationToken) {
        *locked(&self.term) = term.clone();
    }

    /// `work` until it is done, or its term is over: a file may take hours, and whoever polls next begins it anew, from
    /// what is here of it.
    fn within_term<T, W: Future<Output = T>>(&self, work: W) -> impl Future<Output = Option<T>> + use<T, W> {
        let term = locked(&self.term).clone();
        self.all.track_future(term.run_until_cancelled_owned(work))
    }

    /// Does `work` for so long, and then leaves it to itself: `None`. The same where its term is over.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let working = tokio::spawn(self.within_term(work));
        let done = tokio::time::timeout(patience, working).await.ok()?;
        done.map_err(broken).ok().flatten()
    }

    /// Until all that was left to itself has ended, or been left with its term.
    pub(super) async fn ended(&self) {
        self.all.close();
        self.all.wait().await;
        self.all.reopen();
    }
}

/// A job is under way in a lane until this is dropped.
pub(super) struct UnderWay {
    lanes: Arc<Lanes>,
    at: At,
    job: JobId,
}

/// Where it is.
#[derive(Clone, Copy)]
enum At {
    Lane(Lane),
    Errand(Errand),
}

impl UnderWay {
    /// `None`: it is already.
    pub(super) fn begin(lanes: &Arc<Lanes>, lane: Lane, job: JobId) -> Option<Self> {
        let is_new = locked(&lanes.of(lane).under_way).insert(job);
        is_new.then(|| Self { lanes: Arc::clone(lanes), at: At::Lane(lane), job })
    }

    /// The same, on neither of the errands already: one at a time writes its files.
    fn begin_errand(lanes: &Arc<Lanes>, errand: Errand, job: JobId) -> Option<Self> {
        let (mut follow, mut finish) = (locked(&lanes.follow.under_way), locked(&lanes.files.under_way));
        if follow.contains(&job) || finish.contains(&job) {
            return None;
        }
        match errand {
            Errand::Follow => {
                follow.insert(job);
                locked(&lanes.followed).last = Some(job);
            }
            Errand::Finish => {
                finish.insert(job);
            }
        }
        drop((follow, finish));
        Some(Self { lanes: Arc::clone(lanes), at: At::Errand(errand), job })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let work = match self.at {
            At::Lane(lane) => self.lanes.of(lane),
            At::Errand(errand) => self.lanes.of_errand(errand),
        };
        locked(&work.under_way).remove(&self.job);
        // Others may wait for its turn, or it was spoken of meanwhile.
        if matches!(self.at, At::Errand(Errand::Follow)) && !locked(&self.lanes.followed).jobs.is_empty() {
            self.lanes.follow.is_due.notify_one();
        }
    }
}

/// Does `work` for each job whose files are to be fetched, several at once; those that have found no turn. One that takes
/// long holds up no other: the pass ends without it, and later passes leave it alone until it has ended. Only what is
/// worked on is under way: who waits for a turn here may be taken up on the other errand.
/// `work` tells whether the rest has become the other errand's. Unlike what a `Line` takes up, most of these are due by
/// what a status said, and not by their rows.
pub(super) async fn work_off_files<R, F>(
    poller: &Arc<Poller<R>>,
    errand: Errand,
    jobs: impl IntoIterator<Item = JobId>,
    now: Timestamp,
    work: impl Fn(Arc<Poller<R>>, Job) -> F + Clone + Send + Sync + 'static,
) -> Vec<JobId>
where
    R: Remote,
    F: Future<Output = Result<bool, StoreError>> + Send + 'static,
{
    let (mut pass, mut jobs) = (JoinSet::new(), jobs.into_iter());
    loop {
        while poller.lanes.has_turn(errand)
            && let Some(id) = jobs.next()
        {
            let Some(under_way) = UnderWay::begin_errand(&poller.lanes, errand, id) else { continue };
            let (poller_of_job, work) = (Arc::clone(poller), work.clone());
            pass.spawn(poller.lanes.within_term(async move {
                let outcome = work_on(&poller_of_job, id, errand, now, work).await;
                if let Err(error) = &outcome {
                    tracing::error!(job = id.0, %error, "poller.job: job {id} failed in the store");
                    set_aside(&poller_of_job, id, error).await;
                }
                drop(under_way);
                if matches!(outcome, Ok(true)) {
                    poller_of_job.lanes.wake(Lane::Files);
                }
            }));
        }
        match tokio::time::timeout(PATIENCE, pass.join_next()).await {
            Ok(None) => return jobs.collect(),
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(error))) => broken(error),
            Err(_) => {
                // They end by themselves: every call has its time limit.
                pass.detach_all();
                return jobs.collect();
            }
        }
    }
}

/// A job that broke is a defect, which must end the loop and so the process.
pub(super) fn broken(error: JoinError) {
    // Else it was cut off at the very end.
    if let Ok(panic) = error.try_into_panic() {
        resume_unwind(panic);
    }
}

async fn work_on<R, F>(
    poller: &Arc<Poller<R>>,
    id: JobId,
    errand: Errand,
    now: Timestamp,
    work: impl Fn(Arc<Poller<R>>, Job) -> F,
) -> Result<bool, StoreError>
where
    R: Remote,
    F: Future<Output = Result<bool, StoreError>>,
{
    // Since the pass found it, it may have been under way, or have waited long for its turn.
    match poller.store.read(move |c| jobs::find_job(c, id)).await? {
        // It has failed meanwhile, and has its own time to be tried again.
        Some(job) if job.attempts > 0 && job.next_at.is_some_and(|at| at > now) => Ok(false),
        Some(job) if Errand::of(&job) != errand => Ok(true),
        Some(job) => work(Arc::clone(poller), job).await,
        None => Ok(false),
    }
}

/// A job that the store refuses must neither be tried all the time nor hold up the others. One that could only not be
/// saved now stays due.
pub(super) async fn set_aside<R: Remote>(poller: &Poller<R>, id: JobId, error: &StoreError) {
    if error.is_unavailable() {
        return;
    }
    let now = poller.clock.now();
    let until = now.plus(SET_ASIDE);
    if let Err(error) = poller.write(move |c| jobs::postpone_due(c, id, now, until)).await {
        tracing::debug!(job = id.0, %error, "job {id} could not be set aside either");
        // It stays due, and would be tried all the time.
        tokio::time::sleep(STORE_RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_followed_from_behind_the_last_job_that_was_taken_up() {
        let lanes = Arc::new(Lanes::default());
        let ids = |range: std::ops::RangeInclusive<i64>| range.map(JobId).collect::<Vec<_>>();
        lanes.put_back_followed(ids(1..=10));
        assert_eq!(lanes.take_followed(), ids(1..=10));
        let taken_up: Vec<_> =
            ids(1..=8).into_iter().filter_map(|id| UnderWay::begin_errand(&lanes, Errand::Follow, id)).collect();
        assert!(!lanes.has_turn(Errand::Follow) && lanes.has_turn(Errand::Finish));
        lanes.put_back_followed(ids(1..=10));
        assert_eq!(lanes.take_followed(), ids(9..=10), "the others are under way");
        drop(taken_up);
        lanes.put_back_followed(ids(9..=10));
        assert_eq!(lanes.take_followed(), [ids(9..=10), ids(1..=8)].concat());
    }
}
