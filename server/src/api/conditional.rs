//! Conditional requests: weak `ETag`s, 304, and the header that says how old the facts are.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::Timestamp;
use protocol::api::SYNCED_AT_HEADER;
use std::marker::PhantomData;

/// Characters of an instance id that tell it from another.
const MARK: usize = 8;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a body was made from: the validator, and how old the facts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    etag: String,
    synced_at: Option<Timestamp>,
    /// As headers say them: one version is often told to many.
    told: (Option<HeaderValue>, Option<HeaderValue>),
}

/// What a look at a job or a list has found; the body only where it was wanted.
pub struct Looked {
    pub(super) version: Version,
    pub(super) json: Option<Bytes>,
}

impl Looked {
    pub(super) fn bytes(&self) -> usize {
        self.json.as_ref().map_or(0, Bytes::len)
    }
}

impl Version {
    /// `content` is everything that makes one answer differ from another, in characters that an `ETag` may have. Revisions
    /// come again in a database that was put back from a backup, but under another `instance`, of which a part will do.
    pub(super) fn new(content: &str, instance: &str, synced_at: Option<Timestamp>) -> Self {
        let mark = instance.get(..MARK).unwrap_or(instance);
        let etag = format!("W/\"{content}.{mark}\"");
        let told_at = synced_at.and_then(|at| HeaderValue::try_from(at.to_string()).ok());
        Self { told: (HeaderValue::try_from(&etag).ok(), told_at), etag, synced_at }
    }

    pub(super) fn content(&self) -> &str {
        let opaque = self.etag.trim_start_matches("W/").trim_matches('"');
        opaque.rsplit_once('.').map_or(opaque, |(content, _)| content)
    }

    pub(super) const fn synced_at(&self) -> Option<Timestamp> {
        self.synced_at
    }

    pub(super) fn unchanged<T>(&self) -> Conditional<T> {
        Conditional::new((StatusCode::NOT_MODIFIED, self.headers()))
    }

    /// The body as it was written; it must be a `T`.
    pub(super) fn with_json<T>(&self, json: impl Into<axum::body::Body>) -> Conditional<T> {
        Conditional::new((self.headers(), [(CONTENT_TYPE, JSON)], json.into()))
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let (etag, synced_at) = self.told.clone();
        headers.extend(etag.map(|etag| (ETAG, etag)));
        // Kept by the browser for one user at most, and asked about each time.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.extend(synced_at.map(|at| (HeaderName::from_static(SYNCED_AT_HEADER), at)));
        headers
    }
}

/// The versions that a client says it has. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Known(Vec<HeaderValue>);

impl Known {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(HeaderValue::len).sum()
    }

    pub(super) fn has(&self, version: &Version) -> bool {
        let values = self.0.iter().filter_map(|value| value.to_str().ok());
        let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
        // Weak comparison: a proxy that compresses may have dropped the `W/`, or added it.
        let opaque = version.etag.trim_start_matches("W/");
        tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == opaque)
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
        let version = Version::new("7", "0f8fad5b-d9cb-469f-a165-70867728950e", None);
        for (header, known) in [
            ("W/\"7.0f8fad5b\"", true),
            ("\"7.0f8fad5b\"", true),
            ("\"6.0f8fad5b\", W/\"7.0f8fad5b\"", true),
            ("*", true),
            ("\"77.0f8fad5b\"", false),
            ("7.0f8fad5b", false),
            ("W/\"7.7c9e6679\"", false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, header.parse().unwrap())]);
            assert_eq!(Known::of(&headers).has(&version), known, "{header}");
        }
        assert!(!Known::default().has(&version));
        assert_eq!(version.content(), "7");
    }
}
