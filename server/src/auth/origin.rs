//! Cross-site requests: what changes something and comes from a browser must come from a page of ours.
//! Browsers say where a request comes from in `Origin` and `Sec-Fetch-Site`; scripts send neither.

use super::credentials::Credentials;
use super::token::reads;
use super::{Auth, Visitor};
use crate::error::{ApiError, ApiResult};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use protocol::api::ErrorCode;

const SEC_FETCH_SITE: &str = "sec-fetch-site";
const FORWARDED_HOST: &str = "x-forwarded-host";
/// Of what a request says of itself, so much is told back.
const MAX_TOLD_CHARS: usize = 200;

impl Auth {
    /// Stands before every handler of the API.
    pub fn refuse_cross_site(&self, parts: &Parts) -> ApiResult<()> {
        if self.is_cross_site(parts) { Err(self.refusal(&parts.headers)) } else { Ok(()) }
    }

    /// Whether a request that changes something comes from somebody else's page. Tokens are exempt: no browser adds
    /// them by itself.
    pub fn is_cross_site(&self, parts: &Parts) -> bool {
        if reads(&parts.method) || Credentials::is_token(&parts.headers) {
            return false;
        }
        let comes_by_proxy = Visitor::of(parts, self.trusted_proxies()).comes_by_proxy;
        !is_ours(&parts.headers, comes_by_proxy, &self.0.config.public_url)
    }

    /// Names both sides, so that an administrator sees which of them is wrong.
    fn refusal(&self, headers: &HeaderMap) -> ApiError {
        let public_url = &self.0.config.public_url;
        let from = match (told(headers, ORIGIN.as_str()), told(headers, SEC_FETCH_SITE)) {
            (Some(origin), _) => format!("it comes from {origin}"),
            (None, Some(site)) => format!("the browser says {SEC_FETCH_SITE}: {site}"),
            (None, None) => "it does not say where it comes from".to_owned(),
        };
        let told = format!(
            "this request does not come from a page of this TestArena: {from}, and public_url is {public_url}; \
             scripts use a token or HTTP Basic instead of the cookie"
        );
        ApiError::new(ErrorCode::CrossSite, told)
    }
}

fn told(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(name)?.as_bytes());
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_TOLD_CHARS).collect())
}

/// The cookie goes along by itself, so what it vouches for must also say where it comes from.
pub fn require_for_cookie(parts: &Parts, auth: &Auth) -> ApiResult<()> {
    let says_where_from = parts.headers.contains_key(ORIGIN) || parts.headers.contains_key(SEC_FETCH_SITE);
    if says_where_from || reads(&parts.method) { Ok(()) } else { Err(auth.refusal(&parts.headers)) }
}

fn is_ours(headers: &HeaderMap, comes_by_proxy: bool, public_url: &str) -> bool {
    // Of one that is there twice each has to be ours: which of them the browser wrote can't be known.
    let all = |name: &str, is_ours: &dyn Fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value| is_ours(value.to_str().unwrap_or_default()))
    };
    if headers.contains_key(SEC_FETCH_SITE) {
        // What the browser itself has judged.
        return all(SEC_FETCH_SITE, &|site| site == "same-origin");
    }
    let hosts = hosts(headers, comes_by_proxy);
    all(ORIGIN.as_str(), &|origin| is_own_origin(origin, public_url, &hosts))
}

/// The names under which the request may have been sent to us. Of several proxies each may have added the one that it was
/// asked for; no page of somebody else's can make a browser send that header.
fn hosts(headers: &HeaderMap, comes_by_proxy: bool) -> Vec<&str> {
    let all = |name: &str| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    if comes_by_proxy && headers.contains_key(FORWARDED_HOST) {
        return all(FORWARDED_HOST).flat_map(|hosts| hosts.split(',')).map(str::trim).collect();
    }
    all(HOST.as_str()).take(1).collect()
}

fn is_own_origin(origin: &str, public_url: &str, hosts: &[&str]) -> bool {
    let (Some(origin), Some(public)) = (Origin::read(origin), Origin::read(public_url)) else {
        return false;
    };
    // A host says nothing of the scheme, so one's own is ours under either. Where it matters, over https, a browser says
    // in `Sec-Fetch-Site` that a page of plain http is another one.
    let is_host = |host: &&str| Origin::read(&format!("{}://{host}", origin.scheme)).as_ref() == Some(&origin);
    origin == public || hosts.iter().any(is_host)
}

/// A web origin, compared as browsers do: the port that the scheme has anyway may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Origin {
    fn read(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let (scheme, default_port) = match uri.scheme_str()? {
            "https" => ("https", 443),
            "http" => ("http", 80),
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(default_port);
        is_bare.then_some(Self { scheme, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    const PUBLIC_URL: &str = "https://arena.example";

    fn ours_at(public_url: &str, headers: &[(&str, &str)], comes_by_proxy: bool) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        is_ours(&map, comes_by_proxy, public_url)
    }

    fn ours(headers: &[(&str, &str)]) -> bool {
        ours_at(PUBLIC_URL, headers, false)
    }

    #[test]
    fn a_request_that_says_where_it_comes_from_must_come_from_us() {
        assert!(ours(&[]));
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(ours(&[("origin", "https://arena.example")]));
        assert!(ours(&[("origin", "https://127.0.0.1:3000"), ("host", "127.0.0.1:3000")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!ours(&[("sec-fetch-site", site)]), "{site}");
            assert!(!ours(&[("sec-fetch-site", site), ("origin", "https://arena.example")]), "{site}");
        }
        for origin in [
            "https://evil.example",
            "null",
            "",
            "http://arena.example",
            "https://arena.example.evil.example",
            "https://arena.example@evil.example",
            "https://arena.example:8443",
            "https://arena.example/x",
            "ftp://arena.example",
        ] {
            assert!(!ours(&[("origin", origin), ("host", "127.0.0.1:3000")]), "{origin}");
        }
    }

    #[test]
    fn of_two_each_must_be_ours() {
        let (own, foreign) = (("origin", PUBLIC_URL), ("origin", "https://evil.example"));
        let (same, cross) = (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"));
        for (headers, is) in [
            ([own, own], true),
            ([own, foreign], false),
            ([foreign, own], false),
            ([same, same], true),
            ([same, cross], false),
            ([cross, same], false),
        ] {
            assert_eq!(ours(&headers), is, "{headers:?}");
        }
    }

    #[test]
    fn origins_are_compared_and_not_their_spelling() {
        for (public_url, origin) in [
            ("https://ci.example:443", "https://ci.example"),
            ("https://ci.example", "https://ci.example:443"),
            ("http://ci.example:80", "http://ci.example"),
            ("https://CI.example", "https://ci.example"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert!(
                ours_at(public_url, &[("origin", origin), ("host", "upstream:3000")], false),
                "{public_url} {origin}"
            );
        }
    }

    #[test]
    fn what_comes_from_the_requests_own_host_is_ours_whatever_the_scheme() {
        let plain = [("origin", "http://127.0.0.1:3000"), ("host", "127.0.0.1:3000")];
        assert!(ours_at("https://ci.example:443", &plain, false));
        let without_port = [("origin", "http://arena.example"), ("host", "arena.example")];
        assert!(ours_at("https://arena.example", &without_port, false));
        let safer = [("origin", "https://arena.example"), ("host", "arena.example")];
        assert!(ours_at("http://127.0.0.1:3000", &safer, false));
        for origin in ["https://arena.example:8443", "http://arena.example:81", "https://other.example"] {
            assert!(!ours_at("http://127.0.0.1:3000", &[("origin", origin), ("host", "arena.example")], false));
        }
    }

    #[test]
    fn a_forwarded_host_counts_only_from_our_proxy() {
        let headers =
            [("origin", "https://outside.example"), ("host", "inside:3000"), ("x-forwarded-host", "outside.example")];
        assert!(ours_at(PUBLIC_URL, &headers, true));
        assert!(!ours_at(PUBLIC_URL, &headers, false));
        for (forwarded, is_ours) in [
            ("outside.example, inside.example", true),
            ("inside.example,outside.example", true),
            ("outside.example:443 , inside", true),
            ("inside.example, other.example", false),
            ("outside.example.evil.example, inside", false),
            (", ,", false),
            ("", false),
        ] {
            let headers =
                [("origin", "https://outside.example"), ("host", "inside:3000"), ("x-forwarded-host", forwarded)];
            assert_eq!(ours_at(PUBLIC_URL, &headers, true), is_ours, "{forwarded}");
            assert!(!ours_at(PUBLIC_URL, &headers, false), "{forwarded}");
        }
    }
}
