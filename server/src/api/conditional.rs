//! Conditional requests: weak `ETag`s, 304, and the header that says how old the facts are.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::Timestamp;
use protocol::api::SYNCED_AT_HEADER;
use serde::Serialize;
use std::marker::PhantomData;

/// What a body was made from: the validator, and how old the facts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    etag: String,
    synced_at: Option<Timestamp>,
}

impl Version {
    /// `content` is everything that makes one answer differ from another, in characters that an `ETag` may have.
    pub(super) fn new(content: &str, synced_at: Option<Timestamp>) -> Self {
        Self { etag: format!("W/\"{content}\""), synced_at }
    }

    /// Whether the client has this version already.
    pub(super) fn is_known_to(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut known = values.flat_map(|value| value.split(',')).map(str::trim);
        // Weak comparison: a proxy that compresses may have dropped the `W/`, or added it.
        let opaque = self.etag.trim_start_matches("W/");
        known.any(|tag| tag == "*" || tag.trim_start_matches("W/") == opaque)
    }

    pub(super) fn unchanged<T>(&self) -> Conditional<T> {
        Conditional::new((StatusCode::NOT_MODIFIED, self.headers()))
    }

    pub(super) fn with_body<T: Serialize>(&self, body: T) -> Conditional<T> {
        Conditional::new((self.headers(), axum::Json(body)))
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.extend(HeaderValue::try_from(&self.etag).map(|etag| (ETAG, etag)).ok());
        // Kept by the browser for one user at most, and asked about each time.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        let synced_at = self.synced_at.and_then(|at| HeaderValue::try_from(at.to_string()).ok());
        headers.extend(synced_at.map(|at| (HeaderName::from_static(SYNCED_AT_HEADER), at)));
        headers
    }
}

/// A body of type `T` with its version, or the word that the client has it already.
pub(super) struct Conditional<T> {
    response: Response,
    body: PhantomData<fn() -> T>,
}

impl<T> Conditional<T> {
    fn new(response: impl IntoResponse) -> Self {
        Self { response: response.into_response(), body: PhantomData }
    }
}

impl<T> IntoResponse for Conditional<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_version_is_found_in_a_list_and_compared_weakly() {
        let version = Version::new("7", None);
        for (header, known) in
            [("W/\"7\"", true), ("\"7\"", true), ("\"6\", W/\"7\"", true), ("*", true), ("\"77\"", false), ("7", false)]
        {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, header.parse().unwrap())]);
            assert_eq!(version.is_known_to(&headers), known, "{header}");
        }
        assert!(!version.is_known_to(&HeaderMap::new()));
    }
}
