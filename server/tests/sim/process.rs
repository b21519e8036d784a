//! One simulated TestArena process: the real poller, lifecycle and store, on the world's time and chance.
//! When it dies, its memory is gone and the database stays.

use crate::gate::Gate;
use crate::ground::Ground;
use crate::line::Line;
use crate::world::World;
use server::bell::Bell;
use server::inline::Inline;
use server::logs::{KeepLimits, LogStore};
use server::poller::{self, Breaker, Chance, Clock, Lease, Poller, Signals};
use server::store::Store;
use server::wishes::Wishes;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between two plain rounds, and the longest sleep of every loop.
const POLL_INTERVAL: Duration = Duration::from_secs(20);

pub struct Process {
    pub gate: Gate,
    pub wishes: Wishes,
    loops: JoinHandle<()>,
}

impl Process {
    /// `n`: its number among those of its time; `life`: the steps after which it dies.
    pub fn start(world: &Arc<World>, ground: &Ground, n: usize, name: &str, life: Option<u64>) -> Self {
        let gate = Gate::new(world, n, life);
        let to_store = {
            let (gate, committing, reaching) = (gate.clone(), gate.clone(), gate.clone());
            let to_store = Inline::new(move || {
                let gate = gate.clone();
                async move { gate.pass_to_store().await }
            });
            to_store.losing_answers(move || committing.loses_answer()).being_away(move || reaching.is_cut_off())
        };
        let store = Store::open_here(&ground.database, to_store.clone());
        let logs = LogStore::new_here(ground.files.clone(), KeepLimits::default(), to_store);
        let bell = Bell::default();
        let own = Arc::clone(world);
        let is_shared = world.profile.processes > 1;
        let environment = Arc::clone(&ground.environment);
        let poller = Arc::new(Poller {
            store: store.clone(),
            logs: logs.clone(),
            bell: bell.clone(),
            instance: ground.instance.as_str().into(),
            lease: Lease::new(&environment.name, name, is_shared),
            environment,
            poll_interval: POLL_INTERVAL,
            remote: Arc::new(Line { world: Arc::clone(world), gate: gate.clone(), process: name.to_owned() }),
            clock: Clock::told_by(move || own.own_now()),
            chance: Chance::seeded(world.roll(crate::dice::Dice::draw)),
            lanes: Arc::default(),
            marks: Arc::default(),
            breaker: Breaker::default(),
            signals: Signals::default(),
        });
        world.note(format!("process {name} begins"));
        let witnessed = Arc::clone(world);
        let loops = tokio::spawn(async move {
            if let Err(panic) = poller::run(vec![poller], CancellationToken::new()).await {
                witnessed.breaks(format!("a loop of the poller broke: {panic}"));
            }
        });
        Self { gate, wishes: Wishes { store, logs, bell }, loops }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.gate.kill();
        self.loops.abort();
    }
}
