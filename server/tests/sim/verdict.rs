//! What has to be true of a world at the end, and some time after nothing goes wrong any more.

use crate::ground::Ground;
use crate::world::World;
use futures_util::FutureExt;
use protocol::api::{CleanupState, LogsState, SyncState};
use protocol::{JobStatus, QueueStatus, TaskStatus, reason};
use server::store::jobs::{Job, has_own_queue};
use server::store::tasks::{Task, find_tasks};
use server::store::tombstones::earliest_tombstone;
use std::fs;
use std::time::Duration;

/// Whatever was put off is forgotten with the outage, or with the process that died: all is looked at again by now.
pub fn is_reconciled(world: &World) {
    world.step();
    let jobs: Vec<Job> = world.with_witness(|witness| witness.jobs().cloned().collect()).unwrap_or_default();
    for job in jobs {
        let is_there = world.bench().queues.contains_key(&job.remote_queue_id);
        if !job.status.is_terminal() && is_there && job.sync_state != SyncState::Synced {
            world.breaks(format!("job {} is not known again a minute after the faults: {job:?}", job.id));
        }
    }
}

/// What ended jobs wait for is tried again as well: at the latest when a server of which nothing else was asked is believed
/// to be back.
pub fn ended_jobs_go_on(world: &World) {
    world.step();
    let jobs: Vec<Job> = world.with_witness(|witness| witness.jobs().cloned().collect()).unwrap_or_default();
    for job in jobs {
        let is_there = world.bench().queues.contains_key(&job.remote_queue_id);
        let is_to_be_deleted = job.delete_requested_at.is_some() && job.sync_state == SyncState::Failing;
        let is_to_be_mirrored = job.logs_state == LogsState::Mirroring && job.attempts > 0;
        if job.status.is_terminal() && is_there && (is_to_be_deleted || is_to_be_mirrored) {
            world.breaks(format!("job {} still waits for its retry minutes after the faults: {job:?}", job.id));
        }
    }
}

/// What was wanted after `since`, or what stood in the way of it is over by now.
pub fn wishes_are_fulfilled(world: &World, since: Duration, words: &str) {
    world.step();
    let late = world.with_witness(|witness| {
        let wanted = |(id, at): (&protocol::JobId, &Duration)| (*at >= since).then_some(*id);
        let aborts = witness.abort_promised.iter().filter_map(wanted);
        let open = aborts.filter_map(|id| witness.find(id)).filter(|job| !job.status.is_terminal());
        let deletions = witness.deletion_promised.iter().filter_map(wanted);
        let there = deletions.filter_map(|id| witness.find(id));
        open.chain(there).cloned().collect::<Vec<_>>()
    });
    for job in late.unwrap_or_default() {
        // One that the server has lost is waited for.
        if world.bench().queues.contains_key(&job.remote_queue_id) {
            world.breaks(format!("what was wanted of job {} is not done {words}: {job:?}", job.id));
        }
    }
}

pub fn is_settled(world: &World, ground: &Ground) -> bool {
    world.step();
    let is_at_rest = |job: &Job| {
        job.status.is_terminal()
            && job.logs_state != LogsState::Mirroring
            && job.cleanup_state != CleanupState::Pending
            && job.delete_requested_at.is_none()
    };
    let are_at_rest = world.with_witness(|witness| witness.jobs().all(is_at_rest)).unwrap_or(false);
    are_at_rest && !has_tombstones(ground)
}

fn has_tombstones(ground: &Ground) -> bool {
    let store = ground.observe();
    let earliest = store.read(|c| earliest_tombstone(c, "bench"));
    earliest.now_or_never().unwrap().unwrap().is_some()
}

/// At the very end.
pub fn judge(world: &World, ground: &Ground) {
    world.step();
    if has_tombstones(ground) {
        world.breaks("queues of which nothing can come any more are still looked for".to_owned());
    }
    let (jobs, submitted, aborts, deletions, forced) = world
        .with_witness(|witness| {
            let jobs: Vec<Job> = witness.jobs().cloned().collect();
            let (aborts, deletions) = (witness.abort_promised.clone(), witness.deletion_promised.clone());
            (jobs, witness.submitted.clone(), aborts, deletions, witness.forced.clone())
        })
        .expect("there is a witness");
    let store = ground.observe();
    for job in &jobs {
        let id = job.id;
        if forced.contains(&id) {
            continue;
        }
        let tasks = store.read(move |c| find_tasks(c, id)).now_or_never().unwrap().unwrap();
        judge_job(world, ground, job, &tasks);
    }
    for id in submitted {
        let is_there = jobs.iter().any(|job| job.id == id);
        let may_be_gone = deletions.contains_key(&id) || forced.contains(&id);
        // A deletion whose caller was never answered may have come to pass.
        let was_wanted = may_be_gone || world.trace().iter().any(|line| line.contains(&format!("job {id}: Delete")));
        if !is_there && !was_wanted {
            world.breaks(format!("job {id} was accepted and is lost"));
        }
    }
    for id in deletions.keys() {
        if jobs.iter().any(|job| job.id == *id) {
            world.breaks(format!("job {id} was to be deleted and is still there"));
        }
    }
    for id in aborts.keys() {
        if jobs.iter().any(|job| job.id == *id && !job.status.is_terminal()) {
            world.breaks(format!("job {id} was to be aborted and has not ended"));
        }
    }
    judge_bench(world, &jobs, &forced.into_iter().map(|id| id.to_string()).collect::<Vec<_>>());
}

fn judge_job(world: &World, ground: &Ground, job: &Job, tasks: &[Task]) {
    let id = job.id;
    let breaks = |words: &str| world.breaks(format!("job {id} {words}: {job:?}"));
    if !job.status.is_terminal() {
        return breaks("never ended");
    }
    if job.logs_state == LogsState::Mirroring || job.cleanup_state == CleanupState::Pending {
        return breaks("is not done with");
    }
    let bench = world.bench();
    let queue_id = &job.remote_queue_id;
    let is_forgotten = bench.forgotten.contains(queue_id);
    let why = job.status_reason.as_deref();
    if matches!(why, Some(reason::LOST)) && !is_forgotten && !world.profile.may_lose() {
        breaks("is called lost, and the server never lost it");
    }
    if matches!(why, Some(reason::ID_TAKEN | reason::REJECTED | reason::OTHER_INSTANCE)) {
        breaks("was refused for no reason");
    }
    let Some(queue) = bench.queues.get(queue_id) else {
        let is_explained = is_forgotten || world.profile.may_lose() || job.status == JobStatus::Aborted;
        if has_own_queue(job) && job.remote_deleted_at.is_none() && !is_explained {
            breaks("has no queue at the server");
        }
        return;
    };
    let said = queue.status(world.age());
    let expected = match said {
        QueueStatus::Aborted => [JobStatus::Aborted].as_slice(),
        QueueStatus::Finished => &[JobStatus::Passed, JobStatus::Failed, JobStatus::Error],
        QueueStatus::Error => &[JobStatus::Error],
        QueueStatus::Waiting | QueueStatus::Running => &[],
    };
    // What was to be aborted and was unknown for a minute may run on until it is found again.
    let is_aborted_unseen = job.status == JobStatus::Aborted && world.profile.is_blank_for_long();
    let is_lost = why == Some(reason::LOST) || job.accepted_at.is_none() || is_aborted_unseen;
    if !expected.contains(&job.status) && !is_lost {
        breaks(&format!("says otherwise than its queue, which is {said:?}"));
    }
    let is_mirrored = job.logs_state == LogsState::Complete && world.profile.keeps_logs && !is_lost;
    for task in tasks.iter().filter(|task| is_mirrored && task.status != TaskStatus::Skipped) {
        let folder = ground.files.join("jobs").join((id.0 / 1_000).to_string()).join(id.to_string());
        let kept = fs::read(folder.join(format!("task-{}.log", task.n))).unwrap_or_default();
        let written = bench.log(&job.task_id(task.n)).unwrap_or_default();
        if kept != written {
            breaks(&format!("has {} of {} bytes of a log that it calls complete", kept.len(), written.len()));
        }
    }
    // A server that denies a queue for more than a minute is believed of its logs as well.
    let may_lack = is_forgotten || is_lost || world.profile.gives_up() || world.profile.is_blank_for_long();
    if job.logs_state == LogsState::Incomplete && !may_lack {
        breaks("lacks logs that the server has");
    }
    if job.cleanup_state == CleanupState::Done && bench.workspaces.contains(queue_id) {
        breaks("is called cleaned, and its workspace is there");
    }
}

/// Nothing runs on unseen, and nothing of a deleted job is left.
fn judge_bench(world: &World, jobs: &[Job], forced: &[String]) {
    let bench = world.bench();
    for (id, queue) in &bench.queues {
        let job = jobs.iter().find(|job| job.remote_queue_id == *id);
        if !queue.status(world.age()).is_terminal() {
            world.breaks(format!("queue {id} runs, and its job is {job:?}"));
        }
        // One that has ended may be left by a server that was without its queues for more than a minute while it was deleted.
        let is_left = queue.status(world.age()).is_terminal() && world.profile.is_blank_for_long();
        if job.is_none() && !is_left {
            world.breaks(format!("queue {id} is still there without its job"));
        }
    }
    for id in &bench.workspaces {
        let is_left = !jobs.iter().any(|job| job.remote_queue_id == *id) && !world.profile.gives_up();
        if is_left && !bench.forgotten.contains(id) && !forced.contains(id) {
            world.breaks(format!("the workspace of queue {id} is left, and its job is gone"));
        }
    }
    for (id, times) in &bench.begun {
        // A server without a memory of what it deleted begins again what comes late; that is then found and ended.
        let may_begin_again = !world.profile.remembers_deleted || world.profile.may_lose();
        if *times > 1 && !may_begin_again {
            world.breaks(format!("queue {id} was begun {times} times"));
        }
    }
    if world.profile.is_calm() {
        let numbers: Vec<u64> = bench.arrived.iter().filter_map(|id| id.parse().ok()).collect();
        if !numbers.is_sorted() {
            world.breaks(format!("jobs came in another order than they were submitted: {numbers:?}"));
        }
    }
}
