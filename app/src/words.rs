//! How the page says things: statuses, times, durations, sizes. Pure, and the same on server and browser.
//! No fractions by float formatting, which would weigh on the bundle.

use protocol::api::Health;
use protocol::{JobStatus, TaskStatus, Timestamp};
use std::time::Duration;

pub(crate) const PRODUCT: &str = "TestArena";
const MS_PER_MINUTE: i64 = 60_000;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(crate) const fn job_status(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Waiting => "Waiting",
        JobStatus::InProgress => "In progress",
        JobStatus::Passed => "Passed",
        JobStatus::Failed => "Failed",
        JobStatus::Error => "Error",
        JobStatus::Aborted => "Aborted",
    }
}

/// One sign for a title, where there is no room for a word.
pub(crate) const fn job_sign(status: JobStatus) -> char {
    match status {
        JobStatus::Waiting => '…',
        JobStatus::InProgress => '▶',
        JobStatus::Passed => '✓',
        JobStatus::Failed => '✗',
        JobStatus::Error => '⚠',
        JobStatus::Aborted => '⊘',
    }
}

pub(crate) const fn task_status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Waiting => "Waiting",
        TaskStatus::Running => "Running",
        TaskStatus::Passed => "Passed",
        TaskStatus::Failed => "Failed",
        TaskStatus::Error => "Error",
        TaskStatus::Aborted => "Aborted",
        TaskStatus::Skipped => "Skipped",
    }
}

pub(crate) const fn health(health: Health) -> &'static str {
    match health {
        Health::Ok => "Healthy",
        Health::Degraded => "Degraded",
        Health::Unreachable => "Unreachable",
        Health::Unknown => "Not asked yet",
    }
}

/// A job's `status_reason` as a sentence without its full stop.
pub(crate) fn status_reason(reason: &str) -> String {
    if let Some(username) = reason.strip_prefix("aborted_by:") {
        return format!("Aborted by {username}");
    }
    match reason {
        "timeout" => "Ran past its time limit",
        "waited_too_long" => "Waited too long for its turn",
        "aborted_remotely" => "Aborted at the remote test server",
        "rejected" => "The remote test server refused it",
        "id_taken" => "Its id is taken at the remote test server",
        "other_instance" => "The remote test server serves another TestArena",
        "lost" => "The remote test server no longer knows it",
        "remote_error" => "The remote test server failed",
        "forced" => "Ended by an administrator without the remote test server",
        "tasks_errored" => "Some scenarios could not be run",
        other => other,
    }
    .to_owned()
}

/// `23 Nov 2026, 14:03`, in a zone so many minutes east of UTC; without one in UTC, and saying so.
pub(crate) fn moment(at: Timestamp, zone_offset_minutes: Option<i64>) -> String {
    let text = shifted(at, zone_offset_minutes);
    let month = text[5..7].parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1)).copied().unwrap_or_default();
    let day = text[8..10].trim_start_matches('0');
    let zone = if zone_offset_minutes.is_none() { " UTC" } else { "" };
    format!("{day} {month} {}, {}{zone}", &text[..4], &text[11..16])
}

/// `14:03`, or with its day where that is not the same.
pub(crate) fn time_of_day(at: Timestamp, now: Option<Timestamp>, zone_offset_minutes: Option<i64>) -> String {
    let day = |at| shifted(at, zone_offset_minutes)[..10].to_owned();
    if now.is_none_or(|now| day(now) != day(at)) {
        return moment(at, zone_offset_minutes);
    }
    let zone = if zone_offset_minutes.is_none() { " UTC" } else { "" };
    format!("{}{zone}", &shifted(at, zone_offset_minutes)[11..16])
}

/// `2026-11-23 14:03:27 +01:00`: to the second, with the zone.
pub(crate) fn exact_moment(at: Timestamp, zone_offset_minutes: Option<i64>) -> String {
    let text = shifted(at, zone_offset_minutes);
    let zone = match zone_offset_minutes {
        None => "UTC".to_owned(),
        Some(offset) => {
            let (sign, minutes) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    };
    format!("{} {} {zone}", &text[..10], &text[11..19])
}

/// RFC 3339 of the wall clock; at least `YYYY-MM-DDTHH:MM:SS` for every year that has four digits.
fn shifted(at: Timestamp, zone_offset_minutes: Option<i64>) -> String {
    Timestamp(at.0 + zone_offset_minutes.unwrap_or(0) * MS_PER_MINUTE).to_string()
}

/// `812 ms`, `12.4 s`, `3 min 07 s`, `1 h 02 min`: to the nearest of what is told, in the words of what that makes, so
/// that no minute has 60 seconds.
pub(crate) fn duration(duration: Duration) -> String {
    let ms = whole_ms(duration);
    let (tenths, seconds, minutes) = (nearest(ms, 100), nearest(ms, 1_000), nearest(ms, 60_000));
    if ms < 1_000 {
        format!("{ms} ms")
    } else if tenths < 600 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else if seconds < 3_600 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// `12 s`, `3 min`, `2 h`, `5 d`: roughly how long, to the nearest as well.
pub(crate) fn age(age: Duration) -> String {
    let ms = whole_ms(age);
    let told = [(1_000, 60, "s"), (60_000, 60, "min"), (3_600_000, 24, "h")];
    let fits =
        told.into_iter().map(|(unit, end, word)| (nearest(ms, unit), end, word)).find(|(count, end, _)| count < end);
    fits.map_or_else(|| format!("{} d", nearest(ms, 86_400_000)), |(count, _, word)| format!("{count} {word}"))
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How many of the unit are nearest.
const fn nearest(ms: u64, unit: u64) -> u64 {
    ms.saturating_add(unit / 2) / unit
}

/// `just now`, `3 min ago`.
pub(crate) fn ago(since: Duration) -> String {
    if nearest(whole_ms(since), 1_000) < 60 { "just now".to_owned() } else { format!("{} ago", age(since)) }
}

/// `512 B`, `18.2 kB`, `4.7 MB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// `182,331`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 scenario`, `2 scenarios`.
pub(crate) fn plural(number: u64, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {one}{ending}", count(number))
}

/// Of a share from 0 to 1, to the nearest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100 just before")]
pub(crate) fn whole_percent(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 100.0 + 0.5) as u32
}

/// `90 %` of a share from 0 to 1, to the nearest; all but none and all but everything never read as none and everything.
pub(crate) fn percent(share: f64) -> String {
    match whole_percent(share) {
        0 if share > 0.0 => "< 1 %".to_owned(),
        100 if share < 1.0 => "> 99 %".to_owned(),
        nearest => format!("{nearest} %"),
    }
}

/// As people know a commit by.
pub(crate) fn short_commit(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_readers_zone_or_in_utc() {
        let at: Timestamp = "2026-01-04T23:30:05.678Z".parse().expect("a time");
        assert_eq!(moment(at, None), "4 Jan 2026, 23:30 UTC");
        assert_eq!(moment(at, Some(60)), "5 Jan 2026, 00:30");
        assert_eq!(time_of_day(at, Some(at), Some(60)), "00:30");
        assert_eq!(time_of_day(at, Some(Timestamp(at.0 + 3_600_000)), None), "4 Jan 2026, 23:30 UTC");
        assert_eq!(exact_moment(at, None), "2026-01-04 23:30:05 UTC");
        assert_eq!(exact_moment(at, Some(-210)), "2026-01-04 20:00:05 -03:30");
    }

    #[test]
    fn durations_ages_and_sizes_keep_to_what_matters() {
        let told = [0, 812, 12_430, 187_000, 3_720_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(told, ["0 ms", "812 ms", "12.4 s", "3 min 07 s", "1 h 02 min"]);
        let ages = [12, 200, 7_300, 450_000].map(|seconds| age(Duration::from_secs(seconds)));
        assert_eq!(ages, ["12 s", "3 min", "2 h", "5 d"]);
        assert_eq!([512, 18_231, 4_700_000].map(size), ["512 B", "18.2 kB", "4.7 MB"]);
    }

    #[test]
    fn what_is_nearly_the_next_unit_is_told_in_it() {
        for (ms, told, roughly) in [
            (999, "999 ms", "1 s"),
            (1_049, "1.0 s", "1 s"),
            (59_600, "59.6 s", "1 min"),
            (59_949, "59.9 s", "1 min"),
            (59_950, "1 min 00 s", "1 min"),
            (119_600, "2 min 00 s", "2 min"),
            (3_599_400, "59 min 59 s", "1 h"),
            (3_599_500, "1 h 00 min", "1 h"),
            (7_199_000, "2 h 00 min", "2 h"),
            (86_340_000, "23 h 59 min", "1 d"),
        ] {
            let ms = Duration::from_millis(ms);
            assert_eq!((duration(ms).as_str(), age(ms).as_str()), (told, roughly));
        }
        assert_eq!(ago(Duration::from_millis(59_600)), "1 min ago");
        assert_eq!(ago(Duration::from_millis(59_400)), "just now");
    }

    #[test]
    fn a_share_that_is_not_none_and_not_all_does_not_read_so() {
        let told = [0.0, 0.001, 0.1, 0.125, 0.996, 1.0].map(percent);
        assert_eq!(told, ["0 %", "< 1 %", "10 %", "13 %", "> 99 %", "100 %"]);
    }

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!([0, 999, 1_000, 182_331, 1_000_000].map(count), ["0", "999", "1,000", "182,331", "1,000,000"]);
        assert_eq!((plural(1, "line"), plural(1_200, "line")), ("1 line".to_owned(), "1,200 lines".to_owned()));
    }
}
