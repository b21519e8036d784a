//! Where each view lives, with what of its state is in the URL. The API's URLs are in `client`.

use leptos::prelude::{Get, Memo, With};
use leptos_router::hooks::{use_location, use_url};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use protocol::{JobId, names};

pub(crate) const HOME: &str = "/";
pub(crate) const LOGIN: &str = "/login";
pub(crate) const LOGOUT: &str = "/logout";
pub(crate) const NEW_JOB: &str = "/jobs/new";
pub(crate) const COMPARE: &str = "/compare";
pub(crate) const ACCOUNT: &str = "/account";
pub(crate) const ADMIN_ENVIRONMENTS: &str = "/admin/environments";
pub(crate) const ADMIN_USERS: &str = "/admin/users";
pub(crate) const ADMIN_AUDIT: &str = "/admin/audit";

/// What the header leads to.
pub(crate) fn places(is_admin: bool) -> Vec<(&'static str, &'static str)> {
    let mut places = vec![(HOME, "Jobs")];
    if is_admin {
        places.extend([(ADMIN_ENVIRONMENTS, "Environments"), (ADMIN_USERS, "Users"), (ADMIN_AUDIT, "Audit")]);
    }
    places
}

pub(crate) fn job(id: JobId) -> String {
    format!("/jobs/{id}")
}

/// A job's view, open at the log of one of its tasks.
pub(crate) fn task_log(id: JobId, task_id: &str) -> String {
    with_query(&job(id), &[("tab", "logs"), ("task", task_id)])
}

/// A scenario's history, on one branch or (empty) on all.
pub(crate) fn scenario(environment: &str, name: &str, branch: &str) -> String {
    with_query(&format!("/scenarios/{}/{}", encode(environment), encode(name)), &[("branch", branch)])
}

pub(crate) fn compare(a: JobId, b: JobId) -> String {
    with_query(COMPARE, &[("a", &a.to_string()), ("b", &b.to_string())])
}

/// Where it is chosen what to compare a job with.
pub(crate) fn compare_with(job: JobId) -> String {
    with_query(COMPARE, &[("b", &job.to_string())])
}

/// The sign-in view that leads back to `next`, a path of ours with its query.
pub(crate) fn login(next: &str) -> String {
    if next == HOME {
        return LOGIN.to_owned();
    }
    with_query(LOGIN, &[("next", next)])
}

/// The account view that leads on to `next` once the password is changed.
#[cfg(feature = "ssr")]
pub(crate) fn first_password(next: &str) -> String {
    with_query(ACCOUNT, &[("next", next)])
}

/// A path of ours: an address that leads elsewhere leads home.
pub(crate) fn ours(path: &str) -> &str {
    if names::is_local_path(path) { path } else { HOME }
}

/// `path?name=value&…` without the empty values.
pub(crate) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut url = path.to_owned();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        url.push(if url.len() == path.len() { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.push_str(&encode(value));
    }
    url
}

/// All but RFC 3986's unreserved characters; `/` stays readable, which queries and paths allow.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// What stands behind the `?` of an address. The router's own map decodes it twice, so that `%2525` becomes `%`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Of the view that is open or being opened.
    pub(crate) fn here() -> Memo<Self> {
        let url = use_url();
        Memo::new(move |_| url.with(|url| Self::of(url.search())))
    }

    /// Of the view at this path, as it is or was last. From one view to another of the same route the router itself
    /// takes the parameters along, but leaves the query as it was.
    pub(crate) fn of_path(path: impl Fn() -> String + Send + Sync + 'static) -> Memo<Self> {
        let location = use_location();
        let (pathname, search) = (location.pathname, location.search);
        Memo::new(move |last: Option<&Self>| match last {
            Some(last) if pathname.get() != path() => last.clone(),
            _ => search.with(|search| Self::of(search)),
        })
    }

    fn of(search: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Self(search.split('&').map(pair).collect())
    }

    /// The last of this name, if there is one.
    pub(crate) fn get_str(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// As `get_str`; of none, nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get_str(name).unwrap_or_default().to_owned()
    }
}

/// As forms write it as well: a blank is a plus there.
fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The first and the last of the lines of a log that `#L120` or `#L120-L140` points at.
pub(crate) fn lines_of_hash(hash: &str) -> Option<(u64, u64)> {
    let lines = hash.trim_start_matches('#').strip_prefix('L')?;
    let (from, to) = lines.split_once('-').map_or((lines, lines), |(from, to)| (from, to.trim_start_matches('L')));
    let (from, to) = (from.parse::<u64>().ok()?, to.parse::<u64>().ok()?);
    (from > 0 && to >= from).then_some((from, to))
}

/// Its inverse.
pub(crate) fn hash_of_lines(from: u64, to: u64) -> String {
    if from == to { format!("#L{from}") } else { format!("#L{from}-L{to}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_values_stay_out_of_the_url() {
        assert_eq!(
            with_query("/", &[("search", ""), ("branch", "a b/ä"), ("status", "failed")]),
            "/?branch=a%20b/%C3%A4&status=failed"
        );
        assert_eq!(with_query("/", &[("search", "")]), "/");
    }

    #[test]
    fn what_is_put_into_a_query_is_read_back_as_it_was() {
        for value in ["100%25.txt", "%2e%2e/x.txt", "50%", "a+b c&d=e", "ä#?", "%", "%zz"] {
            let address = with_query("/", &[("tab", "logs"), ("file", value)]);
            let query = Query::of(address.strip_prefix("/?").expect("a query"));
            assert_eq!((query.get_str("tab"), query.get_str("file")), (Some("logs"), Some(value)));
        }
    }

    #[test]
    fn a_query_is_read_as_forms_write_it() {
        let query = Query::of("a=1+2&b&a=%C3%A4&c=x=y");
        assert_eq!(["a", "b", "c", "d"].map(|name| query.get_str(name)), [Some("ä"), Some(""), Some("x=y"), None]);
        assert_eq!(Query::of("").get_str("a"), None);
    }

    #[test]
    fn a_scenarios_address_keeps_its_folders_readable() {
        let address = scenario("bench a", "net/déjà vu", "feature/x y");
        assert_eq!(address, "/scenarios/bench%20a/net/d%C3%A9j%C3%A0%20vu?branch=feature/x%20y");
        assert_eq!(scenario("bench-a", "smoke/boot", ""), "/scenarios/bench-a/smoke/boot");
    }

    #[test]
    fn the_way_to_sign_in_remembers_where_one_was() {
        assert_eq!(login("/jobs/42?tab=logs"), "/login?next=/jobs/42%3Ftab%3Dlogs");
        assert_eq!(login("/"), "/login");
    }

    #[test]
    fn nobody_is_led_to_another_site() {
        assert_eq!(ours("/jobs/42?tab=logs"), "/jobs/42?tab=logs");
        assert_eq!(ours("//evil.example"), HOME);
    }

    #[test]
    fn only_a_line_link_points_at_lines() {
        assert_eq!(lines_of_hash("#L120"), Some((120, 120)));
        assert_eq!([lines_of_hash("#L120-L140"), lines_of_hash("#L120-140")], [Some((120, 140)); 2]);
        for other in ["", "#", "#L", "#L0", "#Lx", "#main", "#L-1", "#L5-L4", "#L5-"] {
            assert_eq!(lines_of_hash(other), None, "{other}");
        }
        for lines in [(7, 7), (7, 9)] {
            assert_eq!(lines_of_hash(&hash_of_lines(lines.0, lines.1)), Some(lines));
        }
    }
}
