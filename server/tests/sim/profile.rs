//! What kind of world a seed makes: what its remote server can do, what goes wrong there and here, and until when.

use crate::dice::Dice;
use std::time::Duration;

/// What can go wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No connection.
    Refused,
    /// No answer within the limit, and nothing was done.
    Hung,
    /// Done, and the answer never came.
    AnswerLost,
    /// The answer takes its time.
    Slow,
    /// 500, and nothing was done.
    Broken,
    /// 500, and it was done all the same.
    BrokenAfterwards,
    /// 429 or 503 with `Retry-After`.
    Busy,
    /// Given up here, and done there later.
    Late,
    /// A yes, and nothing was done.
    Hollow,
}

impl Fault {
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Hung,
        Self::AnswerLost,
        Self::Slow,
        Self::Broken,
        Self::BrokenAfterwards,
        Self::Busy,
        Self::Late,
        Self::Hollow,
    ];
}

/// What chance alone comes to too rarely: people and the server act in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    None,
    /// Submissions arrive late, and are deleted meanwhile, at a server that remembers nothing of what it deleted.
    LateSubmissions,
    /// A feed that has always something to tell, while a deletion does nothing the first time.
    BusyFeed,
}

/// What a server says for less is not believed of a queue that it had accepted.
const BELIEVED_AFTER: Duration = Duration::from_mins(1);

/// What a configuration that says nothing comes to; no run takes so long.
const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);
const GIVES_UP_AFTER: Duration = Duration::from_hours(24);
const KEPT_THERE_FOR: Duration = Duration::from_hours(7 * 24);

/// The pause after an answer that is not believed.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(20);

/// From, and until when, after the beginning.
pub type Span = (Duration, Duration);

/// The database can't be reached.
#[derive(Clone, Debug)]
pub struct StoreOutage {
    pub span: Span,
    /// By this process alone, or by all.
    pub of: Option<usize>,
}

/// Every call of one kind fails, while all others work.
#[derive(Clone, Debug)]
pub struct Stuck {
    pub call: &'static str,
    pub span: Span,
    pub fault: Fault,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a deployed server has or lacks")]
pub struct Profile {
    pub has_health: bool,
    pub has_feed: bool,
    pub lists_tasks: bool,
    pub tells_log_sizes: bool,
    pub has_etag: bool,
    pub has_date: bool,
    /// Answers 410 to what was deleted, or aborted while it was unknown.
    pub remembers_deleted: bool,
    /// Answers 409 to a submission that it has already, also from ourselves.
    pub refuses_repeats: bool,
    pub keeps_logs: bool,
    pub plot: Plot,
    /// The server's clock against the true one, in milliseconds.
    pub clock_skew: i64,
    /// What a proxy's `Date` is ahead of the server's clock, in milliseconds.
    pub date_skew: i64,

    /// When our own machine's clock is set, and by how many milliseconds.
    pub clock_steps: Vec<(Duration, i64)>,

    /// Calls in a thousand that go wrong, and in what ways.
    pub fault_rate: u64,
    pub faults: Vec<Fault>,
    /// Aborts and deletions in a thousand to which the server says yes and does nothing, beside all that.
    pub hollow_rate: u64,
    /// Clean-ups in a hundred that fail.
    pub ssh_fault_rate: u64,
    /// The server can't be reached.
    pub outages: Vec<Span>,
    /// The server is up and knows none of its queues for a while.
    pub amnesias: Vec<Span>,
    /// Without its queues it says of a deletion as well that it knows none, rather than that it is unavailable.
    pub denies_when_blank: bool,
    /// One kind of call fails for minutes, as behind a proxy that lacks a route, or at a server whose store is stuck.
    pub stuck: Option<Stuck>,
    /// A queue that is lost there for good, at such moments.
    pub forgets_at: Vec<Duration>,
    /// Queues in a hundred that run, and then wait again because their checkout found no room.
    pub put_back_rate: u64,

    pub processes: usize,
    /// After how many steps a process dies, one life after the other; then it lives on.
    pub lives: Vec<u64>,
    /// How long a dead one stays away.
    pub longest_downtime: Duration,
    /// A process stands still, as a machine that is suspended does.
    pub freezes: Vec<Span>,
    /// Queries in a thousand that take seconds.
    pub slow_store_rate: u64,
    /// Commits in a thousand that are made, and whose caller hears that they failed.
    pub lost_commit_rate: u64,
    pub store_outages: Vec<StoreOutage>,

    /// `waiting_timeout`, `cleanup_give_up` and `remote_retention` of the environment.
    pub longest_wait: Duration,
    pub gives_up_after: Duration,
    pub kept_there_for: Duration,

    pub jobs: u64,
    /// From here on nothing goes wrong any more.
    pub faults_end: Duration,
    /// Whether the faults end with the start of a new process, rather than with the server's return.
    pub ends_with_restart: bool,
}

impl Profile {
    pub fn of(dice: &mut Dice, sets_clock: bool) -> Self {
        let faults_end = dice.seconds(3 * 60, 9 * 60);
        let is_calm = dice.percent(8);
        let remembers_deleted = dice.percent(50);
        let lists_tasks = dice.percent(75);
        let has_hours_off = dice.percent(20);
        let mut profile = Self {
            has_health: dice.percent(75),
            has_feed: dice.percent(55),
            lists_tasks,
            tells_log_sizes: dice.percent(70),
            has_etag: dice.percent(60),
            has_date: dice.percent(70),
            remembers_deleted,
            refuses_repeats: lists_tasks && dice.percent(20),
            keeps_logs: dice.percent(80),
            plot: plot(faults_end),
            clock_skew: if dice.percent(30) { skew(dice) } else { 0 },
            date_skew: if has_hours_off { skew(dice) } else { 0 },
            clock_steps: if sets_clock { clock_steps(faults_end) } else { Vec::new() },
            fault_rate: *dice.pick(&[0, 5, 20, 60, 150, 300]),
            faults: Fault::ALL.into_iter().filter(|_| dice.percent(55)).collect(),
            hollow_rate: hollow_rate(faults_end),
            ssh_fault_rate: *dice.pick(&[0, 0, 10, 40, 90]),
            outages: spans(dice, faults_end, 25, 5, 240),
            amnesias: spans(dice, faults_end, 12, 2, 50),
            denies_when_blank: denies_when_blank(faults_end),
            stuck: stuck(faults_end),
            forgets_at: Vec::new(),
            put_back_rate: put_back_rate(faults_end),
            processes: if dice.percent(25) { 2 } else { 1 },
            lives: Vec::new(),
            longest_downtime: dice.seconds(0, 90),
            freezes: Vec::new(),
            slow_store_rate: *dice.pick(&[0, 0, 0, 3, 15]),
            lost_commit_rate: lost_commit_rate(faults_end),
            store_outages: store_outages(faults_end),
            longest_wait: mostly(LONGEST_WAIT, 120, 0x3a17, faults_end),
            gives_up_after: mostly(GIVES_UP_AFTER, 180, 0x91fe, faults_end),
            kept_there_for: mostly(KEPT_THERE_FOR, 90, 0x4e97, faults_end),
            jobs: 2 + dice.below(5),
            faults_end,
            ends_with_restart: dice.percent(50),
        };
        if dice.percent(10) {
            profile.forgets_at.push(dice.seconds(60, faults_end.as_secs()));
        }
        if dice.percent(60) {
            let deaths = 1 + dice.below(6);
            profile.lives = (0..deaths).map(|_| 5 + dice.below(1_500)).collect();
        }
        if profile.processes == 2 {
            profile.freezes = spans(dice, faults_end, 50, 5, 60);
        }
        profile.amnesias.extend(long_amnesia(faults_end));
        // A feed is offered by the health call alone.
        profile.has_feed &= profile.has_health;
        if is_calm {
            profile.calm_down();
        }
        profile.follow_plot();
        if !profile.clock_steps.is_empty() {
            // A clock that is set while no process is there to notice tells no truth afterwards.
            profile.keep_alive();
        }
        if !profile.ends_with_restart && !profile.is_calm() {
            // What waited for its retry is tried as soon as the server is back.
            profile.outages.push((faults_end.saturating_sub(Duration::from_secs(40)), faults_end));
        }
        profile
    }

    fn follow_plot(&mut self) {
        match self.plot {
            Plot::None => {}
            Plot::LateSubmissions => self.remembers_deleted = false,
            Plot::BusyFeed => {
                (self.has_health, self.has_feed) = (true, true);
                self.hollow_rate = self.hollow_rate.max(500);
            }
        }
    }

    fn keep_alive(&mut self) {
        self.processes = 1;
        self.lives.clear();
        self.freezes.clear();
        self.ends_with_restart = false;
    }

    fn calm_down(&mut self) {
        self.plot = Plot::None;
        (self.fault_rate, self.hollow_rate, self.ssh_fault_rate, self.slow_store_rate) = (0, 0, 0, 0);
        for spans in [&mut self.outages, &mut self.amnesias, &mut self.freezes] {
            spans.clear();
        }
        self.forgets_at.clear();
        self.store_outages.clear();
        self.stuck = None;
        (self.put_back_rate, self.lost_commit_rate) = (0, 0);
        self.clock_steps.clear();
        self.lives.clear();
        self.ends_with_restart = false;
    }

    pub fn is_calm(&self) -> bool {
        self.plot == Plot::None
            && self.clock_steps.is_empty()
            && self.fault_rate == 0
            && self.hollow_rate == 0
            && self.slow_store_rate == 0
            && self.lost_commit_rate == 0
            && self.lives.is_empty()
            && self.outages.is_empty()
            && self.amnesias.is_empty()
            && self.freezes.is_empty()
            && self.store_outages.is_empty()
            && self.stuck.is_none()
            && !self.ends_with_restart
    }

    /// Whether the server may say that it does not know what it has accepted.
    pub fn may_lose(&self) -> bool {
        self.is_blank_for_long()
            || !self.forgets_at.is_empty()
            || self.fault_rate > 0 && self.faults.contains(&Fault::Hollow)
    }

    /// Whether what fails for some minutes is left as it is.
    pub fn gives_up(&self) -> bool {
        self.gives_up_after < GIVES_UP_AFTER
    }

    /// Whether the server is without its queues for so long that they are believed to be lost.
    pub fn is_blank_for_long(&self) -> bool {
        let mut spans = self.amnesias.clone();
        spans.sort_unstable();
        let mut blank: Option<Span> = None;
        spans.into_iter().any(|(from, until)| {
            // With so little between two of them nobody may have asked there.
            let since = blank.filter(|(_, end)| from <= *end + ASKED_AGAIN_AFTER).map_or(from, |(since, _)| since);
            let end = blank.filter(|_| since < from).map_or(until, |(_, end)| end.max(until));
            blank = Some((since, end));
            end >= since + BELIEVED_AFTER
        })
    }
}

/// By dice of its own: it came later than the seeds of which each found a fault once, which are to stay what they were.
fn hollow_rate(faults_end: Duration) -> u64 {
    let mut dice = Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0));
    *dice.pick(&[0, 0, 0, 300, 700])
}

/// By dice of its own as well.
fn plot(faults_end: Duration) -> Plot {
    let mut dice = Dice::new(u64::try_from(faults_end.as_micros()).unwrap_or(0));
    *dice.pick(&[Plot::None, Plot::None, Plot::None, Plot::LateSubmissions, Plot::BusyFeed])
}

/// By dice of its own as well.
fn clock_steps(faults_end: Duration) -> Vec<(Duration, i64)> {
    let mut dice = Dice::new(u64::try_from(faults_end.as_nanos()).unwrap_or(0));
    let count = *dice.pick(&[0, 0, 0, 1, 3]);
    (0..count).map(|_| (dice.seconds(5, faults_end.as_secs()), skew(&mut dice))).collect()
}

/// By dice of its own as well, which leave the seeds alone of which each found a fault once.
fn put_back_rate(faults_end: Duration) -> u64 {
    let mut dice = Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0) ^ 0x3_1221);
    *dice.pick(&[0, 0, 0, 30, 70])
}

/// The same.
fn lost_commit_rate(faults_end: Duration) -> u64 {
    let mut dice = Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0) ^ 0x18e);
    *dice.pick(&[0, 0, 0, 10, 100])
}

/// The same.
fn long_amnesia(faults_end: Duration) -> Option<Span> {
    let mut dice = Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0) ^ 0xb1a9);
    let from = dice.seconds(5, faults_end.as_secs());
    dice.percent(15).then(|| (from, from + dice.seconds(BELIEVED_AFTER.as_secs(), 240)))
}

/// The same.
fn store_outages(faults_end: Duration) -> Vec<StoreOutage> {
    let mut dice = Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0) ^ 0x57_08e5);
    let spans = spans(&mut dice, faults_end, 25, 1, 60);
    spans.into_iter().map(|span| StoreOutage { span, of: *dice.pick(&[None, None, Some(0), Some(1)]) }).collect()
}

/// The same.
fn stuck(faults_end: Duration) -> Option<Stuck> {
    const CALLS: [&str; 10] =
        ["submit", "status", "task status", "abort", "delete", "log", "results", "result", "changes", "health"];
    const FAULTS: [Fault; 5] = [Fault::Refused, Fault::Hung, Fault::AnswerLost, Fault::Broken, Fault::BrokenAfterwards];
    let mut dice = Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0) ^ 0x5_70c4);
    let from = dice.seconds(5, faults_end.as_secs());
    let span = (from, from + dice.seconds(30, 300));
    dice.percent(20).then(|| Stuck { call: dice.pick::<&str>(&CALLS), span, fault: *dice.pick(&FAULTS) })
}

/// By dice of its own as well.
fn denies_when_blank(faults_end: Duration) -> bool {
    Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0) ^ 0xb1_de41).percent(40)
}

/// A limit, which is now and then so short, in seconds, that runs reach it. By dice of its own as well.
fn mostly(limit: Duration, short: u64, salt: u64, faults_end: Duration) -> Duration {
    let mut dice = Dice::new(u64::try_from(faults_end.as_millis()).unwrap_or(0) ^ salt);
    if dice.percent(20) { dice.seconds(short, 3 * short) } else { limit }
}

/// Up to some hours, in either direction.
fn skew(dice: &mut Dice) -> i64 {
    let ms = i64::try_from(dice.below(6 * 3_600_000)).unwrap_or(0);
    if dice.percent(50) { ms } else { -ms }
}

fn spans(dice: &mut Dice, end: Duration, percent: u64, shortest: u64, longest: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    while spans.len() < 4 && dice.percent(percent) {
        let from = dice.seconds(5, end.as_secs());
        spans.push((from, from + dice.seconds(shortest, longest)));
    }
    spans
}
