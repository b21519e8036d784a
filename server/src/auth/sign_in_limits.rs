//! How often a sign-in may fail, per user name and address together and per address.
//! Each replica counts for itself; what is live or remembered never comes here.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_mins(1);
/// Failures a minute of one user name from one address: a person mistypes less often.
const PER_USER: usize = 10;
/// Failures a minute from one address, which may be a whole office's.
const PER_ADDRESS: usize = 60;
/// Past so many keys, and at twice as many as the last time left, those without a recent failure are cleared away.
const CLEAR_AT: usize = 1_000;
/// More than can fail in a minute, since each has its password checked; beyond it nobody new is let try.
const MOST: usize = 100_000;
/// Longer than any user name; what is longer is not worth its memory.
const MAX_LOGIN_CHARS: usize = 32;

/// An address and, for the tighter limit, a user name.
type Key = (Option<IpAddr>, Option<String>);

#[derive(Default)]
pub(super) struct SignInLimits(Mutex<Failures>);

impl SignInLimits {
    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to wait, if there were too many failures.
    pub(super) fn check(&self, login: Option<&str>, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        refuse(&self.lock(), login, address, now)
    }

    /// Counts an attempt as a failure until it is taken back, unless there were too many: one look and one count,
    /// so that attempts at the same time are told apart.
    pub(super) fn count(&self, login: Option<&str>, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut failures = self.lock();
        refuse(&failures, login, address, now)?;
        failures.clear_old(now);
        if failures.times.len() >= MOST {
            return Err(WINDOW);
        }
        for (key, limit) in limits(login, address) {
            let times = failures.times.entry(key).or_default();
            times.push_back(now);
            if times.len() > limit {
                times.pop_front();
            }
        }
        Ok(())
    }

    /// The attempt that was counted at this moment was no failure.
    pub(super) fn take_back(&self, login: Option<&str>, address: Option<IpAddr>, counted_at: Instant) {
        let mut failures = self.lock();
        for (key, _) in limits(login, address) {
            let Some(times) = failures.times.get_mut(&key) else { continue };
            if let Some(at) = times.iter().rposition(|time| *time == counted_at) {
                times.remove(at);
            }
            if times.is_empty() {
                failures.times.remove(&key);
            }
        }
    }
}

#[derive(Default)]
struct Failures {
    times: HashMap<Key, VecDeque<Instant>>,
    clear_at: usize,
}

impl Failures {
    fn clear_old(&mut self, now: Instant) {
        if self.times.len() < self.clear_at.max(CLEAR_AT) {
            return;
        }
        self.times.retain(|_, times| times.back().is_some_and(|last| now.duration_since(*last) < WINDOW));
        self.clear_at = 2 * self.times.len();
    }
}

fn refuse(failures: &Failures, login: Option<&str>, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
    let pauses = limits(login, address).filter_map(|(key, limit)| pause(failures.times.get(&key)?, limit, now));
    pauses.max().map_or(Ok(()), Err)
}

/// Where nobody has said a name, the address alone counts.
fn limits(login: Option<&str>, address: Option<IpAddr>) -> impl Iterator<Item = (Key, usize)> {
    let address = address.map(network);
    let login = login.map(|login| login.chars().take(MAX_LOGIN_CHARS).collect());
    let of_user = login.map(|login| ((address, Some(login)), PER_USER));
    of_user.into_iter().chain([((address, None), PER_ADDRESS)])
}

/// One IPv6 customer has a whole /64 to choose addresses from.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Until the oldest of the last `limit` failures leaves the window.
fn pause(times: &VecDeque<Instant>, limit: usize, now: Instant) -> Option<Duration> {
    let oldest = times.front().filter(|_| times.len() >= limit)?;
    WINDOW.checked_sub(now.duration_since(*oldest)).filter(|pause| !pause.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));

    #[test]
    fn the_eleventh_failure_of_a_minute_waits_for_the_first_to_be_a_minute_old() {
        let (limits, start) = (SignInLimits::default(), Instant::now());
        for second in 0..10 {
            let now = start + Duration::from_secs(second);
            assert_eq!(limits.check(Some("ada"), HERE, now), Ok(()));
            limits.count(Some("ada"), HERE, now).unwrap();
        }
        assert_eq!(limits.check(Some("ada"), HERE, start + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert_eq!(limits.check(Some("ada"), HERE, start + Duration::from_mins(1)), Ok(()));
        assert_eq!(limits.check(Some("ada"), THERE, start + Duration::from_secs(20)), Ok(()));
        assert_eq!(limits.check(Some("bob"), HERE, start + Duration::from_secs(20)), Ok(()));
    }

    #[test]
    fn attempts_at_the_same_time_count_and_a_right_one_is_taken_back() {
        let (limits, now) = (SignInLimits::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(limits.count(Some("ada"), HERE, now), Ok(()));
        }
        assert_eq!(limits.count(Some("ada"), HERE, now), Err(WINDOW));
        limits.take_back(Some("ada"), HERE, now);
        assert_eq!(limits.count(Some("ada"), HERE, now), Ok(()));
        assert_eq!(limits.count(Some("ada"), HERE, now), Err(WINDOW));
    }

    #[test]
    fn one_address_may_not_try_many_names() {
        let (limits, now) = (SignInLimits::default(), Instant::now());
        for n in 0..60 {
            limits.count(Some(&format!("user{n}")), HERE, now).unwrap();
        }
        assert_eq!(limits.check(Some("ada"), HERE, now), Err(WINDOW));
        assert_eq!(limits.check(Some("ada"), THERE, now), Ok(()));
    }

    #[test]
    fn without_a_name_the_limit_is_that_of_the_address() {
        let (limits, now) = (SignInLimits::default(), Instant::now());
        for _ in 0..60 {
            limits.count(None, HERE, now).unwrap();
        }
        assert_eq!(limits.count(None, HERE, now), Err(WINDOW));
        assert_eq!(limits.check(Some("ada"), HERE, now), Err(WINDOW));
        limits.take_back(None, HERE, now);
        assert_eq!(limits.check(Some("ada"), HERE, now), Ok(()));
    }

    #[test]
    fn neighbours_in_an_ipv6_network_count_as_one() {
        let (limits, now) = (SignInLimits::default(), Instant::now());
        for n in 0..60u16 {
            limits.count(Some(&format!("user{n}")), format!("2001:db8::{n:x}").parse().ok(), now).unwrap();
        }
        assert!(limits.check(Some("ada"), "2001:db8::ffff".parse().ok(), now).is_err());
    }
}
