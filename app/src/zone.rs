//! How far the reader's clock is ahead of UTC, now and when it is changed: in a cookie, so that the server draws a
//! moment half a year away as the reader's clock showed it then. Found by asking the browser, without a list of zones.

use protocol::Timestamp;
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
/// The middle one of the calendar: over it, clocks are changed at about the same moments.
const YEAR: i64 = 365 * 24 * 60 + 349;
/// Two changes closer to each other than this are taken for none; nowhere is summer or winter as short.
const STEP: i64 = 14 * 24 * 60;
/// No zone is further from UTC.
#[cfg(feature = "ssr")]
const FARTHEST: i64 = 14 * 60;
/// Nobody changes the clocks more often in two years.
#[cfg(feature = "ssr")]
const MOST_CHANGES: usize = 12;

/// Minutes east of UTC, then in turns a moment at which that changes, in minutes since 1970, and to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone(Vec<i64>);

impl Zone {
    /// From a year before until a year after, as `offset_at` tells for a moment in minutes since 1970.
    pub(crate) fn around(now: Timestamp, offset_at: impl Fn(i64) -> i64) -> Self {
        let now = now.0 / MINUTE_MS;
        let mut at = now - YEAR;
        let mut offset = offset_at(at);
        let mut zone = vec![offset];
        while at < now + YEAR {
            let (mut before, mut after) = (at, at + STEP);
            at = after;
            let next = offset_at(after);
            if next == offset {
                continue;
            }
            while after - before > 1 {
                let middle = i64::midpoint(before, after);
                if offset_at(middle) == offset { before = middle } else { after = middle }
            }
            zone.extend([after, next]);
            offset = next;
        }
        Self(zone)
    }

    /// What is beyond the changes that are known is a year, or some, away from one of them.
    pub(crate) fn offset_minutes(&self, at: Timestamp) -> i64 {
        let mut at = at.0.div_euclid(MINUTE_MS);
        let (first, changes) = self.0.split_first().unwrap_or((&0, &[]));
        if let [from, .., until, _] = *changes
            && until - from > YEAR
        {
            if at < from {
                at += (from - at).div_euclid(YEAR) * YEAR + YEAR;
            } else if at >= until {
                at -= (at - until).div_euclid(YEAR) * YEAR + YEAR;
            }
        }
        let is_past = |change: &&[i64]| change[0] <= at;
        changes.chunks_exact(2).take_while(is_past).last().map_or(*first, |change| change[1])
    }

    pub(crate) fn to_cookie(&self) -> String {
        self.0.iter().map(i64::to_string).collect::<Vec<_>>().join(".")
    }

    /// None where that is none that a page has written.
    #[cfg(feature = "ssr")]
    pub(crate) fn of_cookie(value: &str) -> Option<Self> {
        let numbers = value.split('.').map(|number| number.parse().ok()).collect::<Option<Vec<i64>>>()?;
        let is_zone = numbers.len() % 2 == 1
            && numbers.len() <= 1 + 2 * MOST_CHANGES
            && numbers.iter().step_by(2).all(|offset| offset.abs() <= FARTHEST)
            && numbers.iter().skip(1).step_by(2).is_sorted()
            // Of the years that are told with four digits.
            && numbers.iter().skip(1).step_by(2).all(|change| (0..=4_000_000_000).contains(change));
        is_zone.then_some(Self(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn minutes(text: &str) -> i64 {
        at(text).0 / MINUTE_MS
    }

    /// As in Berlin, of which only these changes matter.
    fn berlin(minute: i64) -> i64 {
        let summers = [
            ("2025-03-30T01:00:00Z", "2025-10-26T01:00:00Z"),
            ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"),
            ("2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z"),
        ];
        let is_summer = summers.iter().any(|(from, until)| (minutes(from)..minutes(until)).contains(&minute));
        if is_summer { 120 } else { 60 }
    }

    #[test]
    fn changes_of_the_clocks_are_found_to_the_minute_and_go_through_the_cookie() {
        let zone = Zone::around(at("2026-11-29T20:00:00Z"), berlin);
        assert_eq!(Zone::of_cookie(&zone.to_cookie()), Some(zone.clone()));
        for (moment, offset) in [
            ("2026-07-01T12:00:00Z", 120),
            ("2026-10-25T00:59:59Z", 120),
            ("2026-10-25T01:00:00Z", 60),
            ("2026-11-29T20:00:00Z", 60),
            ("2027-03-28T00:59:59Z", 60),
            ("2027-03-28T01:00:00Z", 120),
        ] {
            assert_eq!(zone.offset_minutes(at(moment)), offset, "{moment}");
        }
    }

    #[test]
    fn other_years_are_taken_to_be_as_these() {
        let zone = Zone::around(at("2026-11-29T20:00:00Z"), berlin);
        for (moment, offset) in [
            ("2019-07-01T12:00:00Z", 120),
            ("2019-12-24T12:00:00Z", 60),
            ("1970-01-15T00:00:00Z", 60),
            ("2031-07-01T12:00:00Z", 120),
            ("2031-12-24T12:00:00Z", 60),
        ] {
            assert_eq!(zone.offset_minutes(at(moment)), offset, "{moment}");
        }
    }

    #[test]
    fn a_zone_that_never_changes_is_one_number_and_one_that_did_once_stays_so() {
        let kathmandu = Zone::around(at("2026-11-29T20:00:00Z"), |_| 345);
        assert_eq!(kathmandu.to_cookie(), "345");
        assert_eq!(kathmandu.offset_minutes(at("1999-07-01T12:00:00Z")), 345);
        let change = minutes("2026-06-01T00:00:00Z");
        let moved = Zone::around(at("2026-11-29T20:00:00Z"), |minute| if minute < change { 180 } else { 240 });
        assert_eq!(moved.offset_minutes(at("2020-07-01T12:00:00Z")), 180);
        assert_eq!(moved.offset_minutes(at("2030-07-01T12:00:00Z")), 240);
    }

    #[test]
    fn what_no_page_has_written_is_no_zone() {
        for value in ["", "60.", "99999", "60.1", "60.200.120.100.60", "60.-5.120", "a", "60.9223372036854775807.60"] {
            assert_eq!(Zone::of_cookie(value), None, "{value}");
        }
        assert!(Zone::of_cookie(&["60.1"; 40].join(".")).is_none());
        assert!(Zone::of_cookie("60").is_some());
    }
}
