//! How single values are read: durations, URLs, networks.
//! Each returns what is wrong in words; the caller puts the key's name in front.

use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

/// Longer than anybody means: a hundred years. It keeps arithmetic on milliseconds far from its ends.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// `20s`, `1h`, `7d`, `1h 30m`; never zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let read = humantime::parse_duration(text);
    let duration = read.map_err(|_| format!("\"{text}\" is no duration such as \"20s\", \"1h\" or \"7d\""))?;
    if duration < Duration::from_millis(1) || duration > LONGEST {
        return Err(format!("\"{text}\" must be at least 1ms and at most 100 years"));
    }
    Ok(duration)
}

/// As long as a job may take: other servers are told in whole seconds, so that it is rounded up to those.
pub(super) fn job_timeout(text: &str) -> Result<Duration, String> {
    let given = duration(text)?;
    if given < Duration::from_secs(1) {
        return Err(format!("\"{text}\" must be at least 1s"));
    }
    Ok(Duration::from_secs(given.as_secs() + u64::from(given.subsec_nanos() > 0)))
}

/// A duration, or `never` as `None`.
pub(super) fn duration_or_never(text: &str) -> Result<Option<Duration>, String> {
    match text {
        "never" => Ok(None),
        other => duration(other).map(Some),
    }
}

/// A network such as `10.0.0.0/8`, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| format!("\"{text}\" is no address and no network like 10.0.0.0/8"))
}

/// An http or https URL with a host, without user name, query or fragment. Its scheme comes in lower case, so that it can
/// be compared; the slash at its end is taken off.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let wrong = || format!("\"{text}\" is no URL such as https://host.example:8443");
    if !text.is_ascii() {
        return Err(format!(
            "\"{text}\": write what is not ASCII in it as a URL does (a host as xn--…, a path as %C3%BC)"
        ));
    }
    let uri: axum::http::Uri = text.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    if !matches!(scheme, "http" | "https") || authority.host().is_empty() {
        return Err(wrong());
    }
    let after_host = authority.as_str().rsplit_once(authority.host()).map_or("", |(_, rest)| rest);
    if !after_host.is_empty() && authority.port_u16().is_none() {
        return Err(format!("\"{text}\": there is no such port"));
    }
    if authority.as_str().contains('@') {
        return Err("must not carry a user name or password".to_owned());
    }
    if text.contains(['?', '#']) {
        return Err(format!("\"{text}\" must end with its path, without ? and #"));
    }
    let rest = text.get(scheme.len()..).unwrap_or_default();
    Ok(format!("{scheme}{}", rest.trim_end_matches('/')))
}

/// An `http_url` without a path.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let url = http_url(text)?;
    match url.matches('/').count() {
        2 => Ok(url),
        _ => Err(format!("\"{text}\" must have no path: TestArena answers at the root of its host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_say_them() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration_or_never("never"), Ok(None));
        for bad in ["", "20", "0s", "never", "-1s", "200years"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_job_takes_whole_seconds() {
        assert_eq!(job_timeout("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(job_timeout("1500ms"), Ok(Duration::from_secs(2)));
        for bad in ["500ms", "999ms", "0s", "soon"] {
            assert!(job_timeout(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        assert_eq!(network("10.0.0.0/8").map(|n| n.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(network("::1").map(|n| n.to_string()), Ok("::1/128".to_owned()));
        assert!(network("proxy.example").is_err());
    }

    #[test]
    fn urls_have_a_scheme_and_a_host_and_no_credentials() {
        assert_eq!(http_url("https://bench/lab/"), Ok("https://bench/lab".to_owned()));
        assert_eq!(http_url("HTTP://Bench/Lab"), Ok("http://Bench/Lab".to_owned()));
        for bad in ["bench", "ftp://bench", "http://", "http://a:b@bench", "http://bench/?x", "http://bench/#x", "/x"] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
        for bad in ["http://bench:99999", "http://bench:", "http://[::1]:x", "https://b\u{fc}cher"] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
        assert_eq!(http_url("http://[::1]:80/x"), Ok("http://[::1]:80/x".to_owned()));
        assert_eq!(origin("http://127.0.0.1:3000/"), Ok("http://127.0.0.1:3000".to_owned()));
        assert!(origin("http://host/testarena").is_err());
    }
}
