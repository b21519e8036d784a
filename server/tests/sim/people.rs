//! Those who use the simulated system: they submit, abort, delete, force and look, whenever it pleases them.
//! What they were told is a promise; where the process died before it answered, either may have come to pass.

use crate::ground::Ground;
use crate::process::Process;
use crate::profile::Plot;
use crate::witness::Witness;
use crate::world::{World, locked};
use futures_util::future::{Either, select};
use protocol::api::{AuditAction, Via};
use protocol::{JobId, reason};
use server::store::audit::AuditEntry;
use server::store::jobs::{self, NewJob};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The processes that are alive.
pub type Alive = Arc<Mutex<Vec<Option<Arc<Process>>>>>;

#[derive(Clone, Copy, Debug)]
enum Act {
    Submit,
    Abort,
    AbortNewest,
    Delete,
    DeleteNewest,
    ForceEnd,
    ForceRemoval,
    Look,
}

pub struct People {
    pub world: Arc<World>,
    pub ground: Arc<Ground>,
    pub alive: Alive,
}

impl People {
    /// What is done while things go wrong.
    pub async fn live(&self) {
        let world = &self.world;
        let mut plan = Vec::new();
        let until = world.profile.faults_end.as_secs() * 3 / 4;
        for _ in 0..world.profile.jobs {
            let at = world.roll(|dice| dice.seconds(0, until));
            plan.push((at, Act::Submit));
            if world.profile.plot == Plot::LateSubmissions {
                plan.push((at + world.roll(|dice| dice.seconds(5, 60)), Act::DeleteNewest));
            }
        }
        let acts = world.roll(|dice| dice.below(2 * world.profile.jobs + 1));
        for _ in 0..acts {
            let act = world.roll(|dice| match dice.below(20) {
                0..=6 => Act::Abort,
                7..=13 => Act::Delete,
                14 => Act::ForceEnd,
                15 => Act::ForceRemoval,
                _ => Act::Look,
            });
            plan.push((world.roll(|dice| dice.seconds(10, world.profile.faults_end.as_secs())), act));
        }
        self.follow(plan).await;
    }

    /// What is done when all is well again.
    pub async fn live_on(&self) {
        let base = self.world.age();
        let mut plan = Vec::new();
        for act in [Act::Submit, Act::Abort, Act::Delete, Act::Submit, Act::Delete] {
            plan.push((base + self.world.roll(|dice| dice.seconds(0, 120)), act));
        }
        if self.world.profile.hollow_rate > 0 {
            // To be seen in time, since a queue that runs on ends by itself some minutes later.
            let is_deletion = self.world.profile.plot == Plot::BusyFeed;
            let act = if is_deletion { Act::DeleteNewest } else { Act::AbortNewest };
            plan.push((base + Duration::from_secs(121), act));
        }
        self.follow(plan).await;
    }

    async fn follow(&self, mut plan: Vec<(Duration, Act)>) {
        plan.sort_by_key(|(at, _)| *at);
        for (at, act) in plan {
            tokio::time::sleep_until(self.world.began_at + at).await;
            let living: Vec<_> = locked(&self.alive).iter().flatten().cloned().collect();
            if living.is_empty() {
                continue;
            }
            let process = self.world.roll(|dice| Arc::clone(dice.pick(&living)));
            self.do_with(&process, act).await;
        }
    }

    /// Until it is answered, or the process is dead.
    async fn do_with(&self, process: &Process, act: Act) {
        let call = pin!(self.call(process, act));
        let limit = pin!(tokio::time::sleep(Duration::from_secs(30)));
        if let Either::Right(_) = select(call, limit).await {
            self.world.note(format!("{act:?}: nobody answered"));
        }
    }

    async fn call(&self, process: &Process, act: Act) {
        let world = &self.world;
        let (wishes, now) = (&process.wishes, world.own_now());
        if matches!(act, Act::Submit) {
            return self.submit(process).await;
        }
        let chosen = if matches!(act, Act::AbortNewest | Act::DeleteNewest) { self.newest() } else { self.choose() };
        let Some(id) = chosen else { return };
        world.note(format!("somebody wants of job {id}: {act:?}"));
        let (age, why) = (world.age(), reason::aborted_by("ada"));
        match act {
            Act::Submit => {}
            Act::Abort | Act::AbortNewest => {
                if let Ok(true) = wishes.abort(id, why, audit(AuditAction::AbortJob), now).await {
                    world.with_witness(|witness| *witness.abort_promised.entry(id).or_insert(age));
                }
            }
            Act::Delete | Act::DeleteNewest => {
                if wishes.delete(id, why, audit(AuditAction::DeleteJob), now).await.is_ok() {
                    world.with_witness(|witness| *witness.deletion_promised.entry(id).or_insert(age));
                }
            }
            Act::ForceEnd => {
                let Ok(Some(job)) = wishes.store.read(move |c| jobs::find_job(c, id)).await else { return };
                if !job.status.is_terminal() {
                    world.with_witness(|witness| witness.forced.insert(id));
                    let _ = wishes.force_end(job, audit(AuditAction::AbortJob), now).await;
                }
            }
            Act::ForceRemoval => {
                world.with_witness(|witness| witness.forced.insert(id));
                if wishes.force_removal(id, why, audit(AuditAction::DeleteJob), now).await.is_ok() {
                    world.with_witness(|witness| *witness.deletion_promised.entry(id).or_insert(age));
                }
            }
            Act::Look => {
                if wishes.store.write(move |c| jobs::watch(c, id, now)).await.is_ok() {
                    wishes.bell.ring_look("bench");
                }
            }
        }
    }

    async fn submit(&self, process: &Process) {
        let world = &self.world;
        let scenarios = 1 + world.roll(|dice| dice.below(4));
        let new = NewJob {
            instance: self.ground.instance.clone(),
            user_id: self.ground.owner,
            environment: "bench".to_owned(),
            queue_id_prefix: String::new(),
            branch_name: "main".to_owned(),
            commit: "4f1c".repeat(10),
            scenarios: (1..=scenarios).map(|n| format!("smoke/{n}")).collect(),
            rerun_of: None,
            timeout: world.roll(|dice| dice.seconds(40, 500)),
        };
        let (bell, now) = (process.wishes.bell.clone(), self.world.own_now());
        let write = move |c: &mut server::store::AnyConnection| jobs::insert_job_after(c, JobId(0), &new, now);
        let ring = move |_: &jobs::Job| {
            bell.ring_work();
            bell.ring_saved();
        };
        if let Ok(job) = process.wishes.store.write_then(write, ring).await {
            world.note(format!("job {} is submitted", job.id));
            world.with_witness(|witness| witness.submitted.insert(job.id));
        }
    }

    /// The last of those that are under way.
    fn newest(&self) -> Option<JobId> {
        let open =
            |witness: &mut Witness| witness.jobs().filter(|job| !job.status.is_terminal()).map(|job| job.id).last();
        self.world.with_witness(open).flatten()
    }

    /// Some job that was submitted, mostly one of the newer ones.
    fn choose(&self) -> Option<JobId> {
        let ids: Vec<JobId> = self.world.with_witness(|witness| witness.submitted.iter().copied().collect())?;
        if ids.is_empty() {
            return None;
        }
        Some(self.world.roll(|dice| *dice.pick(&ids)))
    }
}

fn audit(action: AuditAction) -> AuditEntry {
    AuditEntry::by_nobody(Via::System, action, "job".to_owned(), &serde_json::json!({}))
}
