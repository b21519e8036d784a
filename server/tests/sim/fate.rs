//! What can come of a call to the remote server: nothing, an answer, an act without an answer, an act long afterwards.

use crate::bench::Bench;
use crate::dice::Dice;
use crate::line::Line;
use crate::profile::{Fault, Plot};
use server::remote::{Reach, RemoteError};
use std::time::Duration;
use tokio::time::sleep;

/// The limit of a whole call.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);

/// What came of a call beside what it did.
pub enum Fate {
    Answered,
    /// The answer is another than the one that the server meant.
    Failed(RemoteError),
    /// A yes that nothing stands behind.
    Hollow,
}

impl Line {
    pub async fn meet_fate<T, F>(&self, name: &'static str, id: &str, act: F) -> (Fate, Option<Result<T, RemoteError>>)
    where
        F: FnOnce(&mut Bench) -> Result<T, RemoteError> + Send + 'static,
        T: Send + 'static,
    {
        let world = &self.world;
        sleep(world.roll(|dice| Duration::from_millis(1 + dice.below(60)))).await;
        if world.is_within(&world.profile.outages) {
            world.count("outage");
            let (reach, pause) = if world.roll(|dice| dice.percent(70)) {
                (Reach::Unsent, Duration::from_millis(5))
            } else {
                (Reach::Unanswered, CALL_LIMIT)
            };
            sleep(pause).await;
            return (Fate::Failed(RemoteError::transient("it is away").reaching(reach)), None);
        }
        let Some(fault) = self.draw_fault(name, id) else { return (Fate::Answered, Some(act(&mut world.bench()))) };
        let lost = |words: &str| Fate::Failed(RemoteError::transient(words).reaching(Reach::Unanswered));
        match fault {
            Fault::Refused => (Fate::Failed(RemoteError::transient("refused").reaching(Reach::Unsent)), None),
            Fault::Hung => {
                sleep(CALL_LIMIT).await;
                (lost("no answer in time"), None)
            }
            Fault::AnswerLost => {
                sleep(world.roll(|dice| dice.seconds(0, 20))).await;
                let _ = act(&mut world.bench());
                sleep(world.roll(|dice| dice.seconds(0, 10))).await;
                (lost("the answer was lost"), None)
            }
            Fault::Slow => {
                sleep(world.roll(|dice| dice.seconds(0, 12))).await;
                let answer = act(&mut world.bench());
                sleep(world.roll(|dice| dice.seconds(0, 12))).await;
                (Fate::Answered, Some(answer))
            }
            Fault::Broken => (Fate::Failed(RemoteError::transient("it answered 500")), None),
            Fault::BrokenAfterwards => {
                let _ = act(&mut world.bench());
                (Fate::Failed(RemoteError::transient("it answered 500, afterwards")), None)
            }
            Fault::Busy => {
                let pause = world.roll(|dice| dice.seconds(1, 300));
                let message = "it is busy".into();
                (Fate::Failed(RemoteError::Transient { message, retry_after: Some(pause) }), None)
            }
            Fault::Late => {
                let at = world.age() + world.roll(|dice| dice.seconds(31, 240));
                world.bench().deliver_late(at, |bench| drop(act(bench)));
                let is_reset = world.roll(|dice| dice.percent(30));
                sleep(if is_reset { Duration::from_secs(1) } else { CALL_LIMIT }).await;
                (lost("given up, and still on its way"), None)
            }
            Fault::Hollow => (Fate::Hollow, None),
        }
    }

    /// Also when all else is well, but then once: what does nothing has to be noticed and done again.
    fn is_hollow(&self, name: &'static str, id: &str) -> bool {
        let (world, rate) = (&self.world, self.world.profile.hollow_rate);
        if rate == 0 || !matches!(name, "abort" | "delete") {
            return false;
        }
        let is_hollow = world.roll(|dice| dice.thousandths(rate));
        is_hollow && (!world.is_over() || world.bench().hollow_in_peace.insert(format!("{name} {id}")))
    }

    fn draw_fault(&self, name: &'static str, id: &str) -> Option<Fault> {
        let world = &self.world;
        if self.is_hollow(name, id) {
            world.count("hollow yes");
            return Some(Fault::Hollow);
        }
        if world.is_over() {
            return None;
        }
        if let Some(stuck) = &world.profile.stuck
            && stuck.call == name
            && world.is_within(&[stuck.span])
        {
            world.count("stuck call");
            return Some(stuck.fault);
        }
        let may_be_late = world.profile.plot == Plot::LateSubmissions && name == "submit";
        if may_be_late && world.roll(|dice| dice.percent(40)) {
            world.count("delivered late");
            return Some(Fault::Late);
        }
        if world.profile.faults.is_empty() {
            return None;
        }
        let draw =
            |dice: &mut Dice| dice.thousandths(world.profile.fault_rate).then(|| *dice.pick(&world.profile.faults));
        let fault = world.roll(draw)?;
        let is_command = matches!(name, "submit" | "abort" | "delete");
        // A hollow or late answer to a question is a wrong one, or none.
        let fault = match fault {
            Fault::Hollow if !is_command => Fault::Broken,
            Fault::Late if !is_command => Fault::Hung,
            fault => fault,
        };
        world.count(match fault {
            Fault::Refused => "refused",
            Fault::Hung => "hung",
            Fault::AnswerLost => "answer lost",
            Fault::Slow => "slow",
            Fault::Broken => "500",
            Fault::BrokenAfterwards => "500 afterwards",
            Fault::Busy => "busy",
            Fault::Late => "delivered late",
            Fault::Hollow => "hollow yes",
        });
        Some(fault)
    }
}
