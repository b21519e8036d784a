//! How a command that waits bears a server that goes away: said once, tried again and again, and given up in the end.

use super::failure::Failure;
use super::out::note;
use std::time::{Duration, Instant};

/// How long a server that has answered before is waited for.
const AWAY_LIMIT: Duration = Duration::from_mins(10);
/// One that never answered most likely has another address; but it may just be starting.
const FIRST_LIMIT: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Patience {
    limit: Duration,
    away_since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    pub(super) fn with_a_stranger() -> Self {
        Self { limit: FIRST_LIMIT, away_since: None, pause: FIRST_PAUSE }
    }

    pub(super) fn with_an_acquaintance() -> Self {
        Self { limit: AWAY_LIMIT, ..Self::with_a_stranger() }
    }

    /// The server has answered. What to tell about it, if it was away.
    pub(super) fn meet(&mut self, now: Instant) -> Option<String> {
        let told = self.away_since.map(|since| format!("it answers again, after {} s", (now - since).as_secs()));
        *self = Self::with_an_acquaintance();
        told
    }

    /// As `bear`, telling it at once.
    pub(super) fn bear_aloud(&mut self, failure: Failure) -> Result<Duration, Failure> {
        let (pause, told) = self.bear(failure, Instant::now())?;
        told.inspect(|told| note(told));
        Ok(pause)
    }

    /// A call has failed: how long to pause before the next, and what to tell about it; or the failure, when that is
    /// all that can be done.
    pub(super) fn bear(&mut self, failure: Failure, now: Instant) -> Result<(Duration, Option<String>), Failure> {
        if !failure.may_pass() {
            return Err(failure);
        }
        // Words of its own: whatever it lacks, it is there.
        if failure.code().is_some() {
            self.limit = AWAY_LIMIT;
        }
        let told = self.away_since.is_none().then(|| {
            let limit = match self.limit.as_secs() {
                seconds @ ..60 => format!("{seconds} s"),
                seconds => format!("{} minutes", seconds / 60),
            };
            format!("{failure}\n  Trying again for up to {limit}.")
        });
        let since = *self.away_since.get_or_insert(now);
        let left = self.limit.saturating_sub(now - since);
        if left.is_zero() {
            return Err(failure.and(format!("It was waited for, for {} s.", self.limit.as_secs())));
        }
        let pause = failure.retry_after().unwrap_or(Duration::ZERO).max(self.pause).min(left);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok((pause, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Failure {
        Failure::Unreachable { why: "http://tests can't be reached: refused".to_owned(), was_sent: false }
    }

    /// How long it is waited for, in pauses that nobody sleeps.
    fn waited(patience: &mut Patience) -> Duration {
        let start = Instant::now();
        let mut now = start;
        while let Ok((pause, _)) = patience.bear(away(), now) {
            now += pause;
        }
        now - start
    }

    #[test]
    fn a_server_is_waited_for_ten_minutes_from_when_it_went_away() {
        let mut patience = Patience::with_a_stranger();
        assert_eq!(waited(&mut patience), FIRST_LIMIT);
        let mut patience = Patience::with_a_stranger();
        let now = Instant::now();
        assert_eq!(patience.meet(now), None);
        let (_, told) = patience.bear(away(), now).unwrap();
        assert!(told.unwrap().contains("up to 10 minutes"));
        assert!(patience.bear(away(), now).unwrap().1.is_none(), "it is said once");
        assert!(patience.meet(now + FIRST_PAUSE).unwrap().contains("answers again"));
        assert_eq!(waited(&mut patience), AWAY_LIMIT);
    }

    #[test]
    fn what_stays_is_not_waited_for() {
        assert!(Patience::with_an_acquaintance().bear(Failure::Usage(String::new()), Instant::now()).is_err());
    }
}
