//! Cross-site requests: what changes something and comes from a browser must come from a page of ours.
//! Browsers say where a request comes from in `Origin` and `Sec-Fetch-Site`; scripts send neither.

use super::credentials::Credentials;
use super::{Auth, Visitor};
use crate::error::{ApiError, ApiResult};
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use protocol::api::ErrorCode;

const SEC_FETCH_SITE: &str = "sec-fetch-site";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// Stands before every handler of the API.
pub async fn refuse_cross_site(State(auth): State<Auth>, request: Request, next: Next) -> ApiResult<Response> {
    let (parts, body) = request.into_parts();
    if auth.is_cross_site(&parts) {
        return Err(refusal());
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

impl Auth {
    /// Whether a request that changes something comes from somebody else's page. Tokens are exempt: no browser adds
    /// them by itself.
    pub fn is_cross_site(&self, parts: &Parts) -> bool {
        if !changes_something(&parts.method) || matches!(Credentials::of(&parts.headers), Credentials::Token(_)) {
            return false;
        }
        let comes_by_proxy = Visitor::of(parts, self.trusted_proxies()).comes_by_proxy;
        !is_ours(&parts.headers, comes_by_proxy, &self.0.config.public_url)
    }
}

/// The cookie goes along by itself, so what it vouches for must also say where it comes from.
pub fn require_for_cookie(parts: &Parts) -> ApiResult<()> {
    let says_where_from = parts.headers.contains_key(ORIGIN) || parts.headers.contains_key(SEC_FETCH_SITE);
    if says_where_from || !changes_something(&parts.method) { Ok(()) } else { Err(refusal()) }
}

fn refusal() -> ApiError {
    let told = "this request does not come from a page of this TestArena; scripts use a token or HTTP Basic instead of the cookie";
    ApiError::new(ErrorCode::CrossSite, told)
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_ours(headers: &HeaderMap, comes_by_proxy: bool, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let (origin, fetch_site) = (text(ORIGIN.as_str()), text(SEC_FETCH_SITE));
    if origin.is_none() && fetch_site.is_none() {
        return true;
    }
    let forwarded_host = text(FORWARDED_HOST).filter(|_| comes_by_proxy);
    let host = forwarded_host.or_else(|| text(HOST.as_str()));
    fetch_site == Some("same-origin") || origin.is_some_and(|origin| is_own_origin(origin, public_url, host))
}

fn is_own_origin(origin: &str, public_url: &str, host: Option<&str>) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let is_host = |authority: &str| host.is_some_and(|host| host.eq_ignore_ascii_case(authority));
    origin.eq_ignore_ascii_case(public_url) || authority.is_some_and(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(headers: &[(&str, &str)], comes_by_proxy: bool) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        is_ours(&headers.collect::<HeaderMap>(), comes_by_proxy, "https://arena.example")
    }

    #[test]
    fn a_request_that_says_where_it_comes_from_must_come_from_us() {
        assert!(ours(&[], false));
        assert!(ours(&[("sec-fetch-site", "same-origin")], false));
        assert!(ours(&[("origin", "https://arena.example")], false));
        assert!(ours(&[("origin", "http://127.0.0.1:3000"), ("host", "127.0.0.1:3000")], false));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!ours(&[("sec-fetch-site", site)], false), "{site}");
        }
        for origin in ["https://evil.example", "null", "http://arena.example", "https://arena.example.evil.example"] {
            assert!(!ours(&[("origin", origin), ("host", "127.0.0.1:3000")], false), "{origin}");
        }
    }

    #[test]
    fn a_forwarded_host_counts_only_from_our_proxy() {
        let headers =
            [("origin", "https://outside.example"), ("host", "inside:3000"), ("x-forwarded-host", "outside.example")];
        assert!(ours(&headers, true));
        assert!(!ours(&headers, false));
    }
}
