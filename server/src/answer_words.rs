//! What answers and failed calls say, read the same by all that call other servers: the remote test servers' client,
//! single sign-on and the client for scripts.

use std::error::Error;
use std::iter::successors;
use std::time::{Duration, SystemTime};

/// A `Retry-After`: seconds, or a date, which lies so far from `now`.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The error with its causes: a library's own words often stop before the reason.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let words: Vec<_> = chain(error).map(ToString::to_string).collect();
    words.join(": ")
}

/// What began it all, alone: enough for people where the library's own words say little.
pub(crate) fn last_cause(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error| <dyn Error>::source(*error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (value, expected) in [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-7", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn an_error_is_told_with_all_its_causes_or_with_the_last_alone() {
        let error = io::Error::other(io::Error::other("the disk is full"));
        assert_eq!(last_cause(&error), "the disk is full");
        assert!(with_causes(&error).ends_with("the disk is full"));
        assert_eq!(with_causes(&io::Error::other("alone")), "alone");
    }
}
