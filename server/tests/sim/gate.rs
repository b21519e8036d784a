//! Where a simulated process touches the world: its database, its files, its remote server. At each such step others
//! may run, the process may stand still, and it may die; one that is dead takes no further step, ever.

use crate::dice::Dice;
use crate::profile::StoreOutage;
use crate::world::World;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// Of one process.
const MOST_LOST_IN_PEACE: u64 = 2;

/// Cheap to clone; all clones are one process.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    /// The number of the process among those of its time.
    n: usize,
    is_dead: AtomicBool,
    died: Notify,
    /// Steps that are left of this life.
    left: AtomicU64,
    frozen_until: Mutex<Option<Instant>>,
    /// Commits that may still lose their answer when nothing else goes wrong any more.
    lost_in_peace: AtomicU64,
}

impl Gate {
    pub fn new(world: &Arc<World>, n: usize, life: Option<u64>) -> Self {
        let left = AtomicU64::new(life.unwrap_or(u64::MAX));
        let (is_dead, died, frozen_until) = (AtomicBool::new(false), Notify::new(), Mutex::default());
        let lost_in_peace = AtomicU64::new(MOST_LOST_IN_PEACE);
        Self(Arc::new(Inner { world: Arc::clone(world), n, is_dead, died, left, frozen_until, lost_in_peace }))
    }

    pub fn kill(&self) {
        self.0.is_dead.store(true, Ordering::SeqCst);
        self.0.died.notify_one();
    }

    pub fn is_dead(&self) -> bool {
        self.0.is_dead.load(Ordering::SeqCst)
    }

    pub async fn died(&self) {
        self.0.died.notified().await;
    }

    pub fn freeze(&self, until: Instant) {
        *self.0.frozen_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// One step.
    pub async fn pass(&self) {
        self.0.world.step();
        if self.0.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.kill();
        }
        let turns = self.0.world.roll(|dice| dice.below(3));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let until = *self.0.frozen_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            sleep_until(until).await;
        }
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    /// Whether a commit is made, and who made it hears that it failed. Also when all else is well, but then only now and
    /// then: that has to be borne as well, and once.
    pub fn loses_answer(&self) -> bool {
        let world = &self.0.world;
        let rate = world.profile.lost_commit_rate;
        if rate == 0 || !world.roll(|dice| dice.thousandths(rate)) {
            return false;
        }
        let left = &self.0.lost_in_peace;
        if world.is_over() && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
        {
            return false;
        }
        world.count("commit unanswered");
        world.note("the answer to a commit is lost".to_owned());
        true
    }

    /// Whether this process can't reach the database, which is there for others perhaps.
    pub fn is_cut_off(&self) -> bool {
        let world = &self.0.world;
        let concerns =
            |outage: &StoreOutage| outage.of.is_none_or(|n| n == self.0.n) && world.is_within(&[outage.span]);
        let is_cut_off = world.profile.store_outages.iter().any(concerns);
        if is_cut_off {
            world.count("store away");
        }
        is_cut_off
    }

    /// A step into the database, which may be slow.
    pub async fn pass_to_store(&self) {
        let world = &self.0.world;
        if !world.is_over() {
            let rate = world.profile.slow_store_rate;
            let pause = world.roll(|dice: &mut Dice| dice.thousandths(rate).then(|| dice.seconds(0, 4)));
            if let Some(pause) = pause {
                world.count("slow store");
                sleep(pause).await;
            }
        }
        self.pass().await;
    }
}
