//! One seed: a world is made, lives through its faults, is left in peace, and is judged.

use crate::dice::Dice;
use crate::ground::Ground;
use crate::people::{Alive, People};
use crate::process::Process;
use crate::profile::Profile;
use crate::verdict;
use crate::witness::Witness;
use crate::world::{World, locked};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// So long after the faults everything open is known again as it is.
const RECONCILED_WITHIN: Duration = Duration::from_mins(1);
/// Every wish of the quiet time is fulfilled so soon.
const FULFILLED_WITHIN: Duration = Duration::from_mins(2);
/// `retry_max_interval`, and the longest `Retry-After`.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// Longest quiet time: submissions may be under way for a quarter of an hour, and pauses grow to minutes.
const SETTLED_WITHIN: Duration = Duration::from_mins(90);

/// What a run was like.
pub struct Report {
    pub seed: u64,
    pub broken: Vec<String>,
    pub steps: u64,
    pub faults: BTreeMap<&'static str, u64>,
    pub deaths: u64,
    pub lasted: Duration,
    pub trace: Vec<String>,
}

/// `sets_clock`: also our own machine's clock may be set.
pub fn run(seed: u64, sets_clock: bool) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(live(seed, sets_clock))
}

async fn live(seed: u64, sets_clock: bool) -> Report {
    let mut dice = Dice::new(seed);
    let profile = Profile::of(&mut dice, sets_clock);
    let world = Arc::new(World::new(profile, dice));
    world.note(format!("{:?}", world.profile));
    let ground = Arc::new(Ground::new(&world.profile));
    world.set_witness(Witness::new(&ground));
    let alive: Alive = Arc::new(Mutex::new((0..world.profile.processes).map(|_| None).collect()));
    let keepers: Vec<Keeper> =
        (0..world.profile.processes).map(|n| Keeper::begin(&world, &ground, &alive, n)).collect();
    let people = People { world: Arc::clone(&world), ground: Arc::clone(&ground), alive: Arc::clone(&alive) };
    let forgetting = forget(&world);
    let faults_end = sleep_until(world.began_at + world.profile.faults_end);
    // The people's last wish may wait for a process that hangs; peace comes all the same.
    tokio::join!(people.live(), forgetting, faults_end);
    world.end_faults();
    let deaths = keepers.iter().map(Keeper::deaths).sum();
    if world.profile.ends_with_restart {
        keepers.iter().for_each(Keeper::restart);
    }
    sleep(RECONCILED_WITHIN).await;
    verdict::is_reconciled(&world);
    let quiet_since = world.age();
    people.live_on().await;
    sleep(FULFILLED_WITHIN).await;
    verdict::wishes_are_fulfilled(&world, quiet_since, "after two minutes of quiet");
    verdict::ended_jobs_go_on(&world);
    // The longest pause of what had failed before.
    sleep_until(world.began_at + quiet_since + LONGEST_PAUSE + RECONCILED_WITHIN).await;
    verdict::wishes_are_fulfilled(&world, Duration::ZERO, "after the longest pause");
    let settled_by = Instant::now() + SETTLED_WITHIN;
    while !verdict::is_settled(&world, &ground) && Instant::now() < settled_by && world.broken().is_empty() {
        sleep(Duration::from_secs(20)).await;
    }
    if world.broken().is_empty() {
        verdict::judge(&world, &ground);
    }
    locked(&alive).clear();
    Report {
        seed,
        broken: world.broken(),
        steps: world.steps(),
        faults: world.faults(),
        deaths,
        lasted: world.age(),
        trace: world.trace(),
    }
}

/// The server loses a queue, now and then.
async fn forget(world: &World) {
    for at in &world.profile.forgets_at {
        sleep_until(world.began_at + *at).await;
        let mut bench = world.bench();
        let ids: Vec<String> = bench.queues.keys().cloned().collect();
        if !ids.is_empty() {
            let id = world.roll(|dice| dice.pick(&ids).clone());
            world.note(format!("the server loses queue {id}"));
            world.count("queue lost");
            bench.forget(&id);
        }
    }
}

/// Starts a process, and the next one when it is dead.
struct Keeper {
    alive: Alive,
    n: usize,
    deaths: Arc<Mutex<u64>>,
    _task: JoinHandle<()>,
}

impl Keeper {
    fn begin(world: &Arc<World>, ground: &Arc<Ground>, alive: &Alive, n: usize) -> Self {
        let deaths = Arc::new(Mutex::new(0));
        let task = tokio::spawn(keep(Arc::clone(world), Arc::clone(ground), Arc::clone(alive), n, Arc::clone(&deaths)));
        Self { alive: Arc::clone(alive), n, deaths, _task: task }
    }

    fn deaths(&self) -> u64 {
        *locked(&self.deaths)
    }

    /// At once, as a supervisor does after a crash.
    fn restart(&self) {
        if let Some(process) = &locked(&self.alive)[self.n] {
            process.gate.kill();
        }
    }
}

async fn keep(world: Arc<World>, ground: Arc<Ground>, alive: Alive, n: usize, deaths: Arc<Mutex<u64>>) {
    let mut lives = world.profile.lives.clone().into_iter();
    let mut count = 0;
    loop {
        let life = lives.next().filter(|_| !world.is_over());
        count += 1;
        let name = format!("{n}.{count}");
        let process = Arc::new(Process::start(&world, &ground, n, &name, life));
        locked(&alive)[n] = Some(Arc::clone(&process));
        let freezing = freeze(&world, &process);
        tokio::select! {
            biased;
            () = process.gate.died() => {}
            () = freezing => {}
        }
        locked(&alive)[n] = None;
        drop(process);
        *locked(&deaths) += 1;
        world.note(format!("process {name} dies"));
        if !world.is_over() {
            world.count("death");
            let longest = world.profile.longest_downtime.as_millis();
            let down = world.roll(|dice| dice.below(u64::try_from(longest).unwrap_or(0) + 1));
            let up_at = Instant::now() + Duration::from_millis(down);
            let peace = world.began_at + world.profile.faults_end;
            sleep_until(up_at.min(peace.max(Instant::now()))).await;
        }
    }
}

/// Lets a process stand still where its world says so; does not end.
async fn freeze(world: &World, process: &Process) {
    for (from, until) in &world.profile.freezes {
        sleep_until(world.began_at + *from).await;
        // One of them at a time.
        if world.age() < *until && !world.is_over() && world.roll(|dice| dice.percent(50)) {
            world.count("freeze");
            process.gate.freeze((world.began_at + *until).min(world.began_at + world.profile.faults_end));
        }
    }
    std::future::pending::<()>().await;
}
