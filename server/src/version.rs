//! What tells one version of a job or a list from another: the weak `ETag`, how old the facts are, and what of it a client
//! has already.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::Timestamp;
use protocol::api::SYNCED_AT_HEADER;
use sha2::{Digest, Sha256};

/// Characters of an instance id that tell it from another.
const MARK: usize = 8;

/// What a body was made from: the validator, and how old the facts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    etag: String,
    synced_at: Option<Timestamp>,
    /// As headers say them: one version is often told to many.
    told: (Option<HeaderValue>, Option<HeaderValue>),
}

/// What a look at a job or a list has found; the body only where it was wanted.
pub struct Looked {
    pub(crate) version: Version,
    pub(crate) json: Option<Bytes>,
}

impl Looked {
    pub(crate) fn bytes(&self) -> usize {
        self.json.as_ref().map_or(0, Bytes::len)
    }
}

impl Version {
    /// `content` is everything that makes one answer differ from another, in characters that an `ETag` may have. Revisions
    /// come again in a database that was put back from a backup, but under another `instance`, of which a part will do.
    pub(crate) fn new(content: &str, instance: &str, synced_at: Option<Timestamp>) -> Self {
        let mark = instance.get(..MARK).unwrap_or(instance);
        let etag = format!("W/\"{content}.{mark}\"");
        let told_at = synced_at.and_then(|at| HeaderValue::try_from(at.to_string()).ok());
        Self { told: (HeaderValue::try_from(&etag).ok(), told_at), etag, synced_at }
    }

    /// Of a body that has no other version than what it says. Weak, since it goes out compressed as well.
    pub(crate) fn of_body(body: &[u8]) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(body));
        let etag = format!("W/\"{hash}\"");
        Self { told: (HeaderValue::try_from(&etag).ok(), None), etag, synced_at: None }
    }

    pub(crate) fn etag(&self) -> Option<HeaderValue> {
        self.told.0.clone()
    }

    pub(crate) fn content(&self) -> &str {
        let opaque = self.etag.trim_start_matches("W/").trim_matches('"');
        opaque.rsplit_once('.').map_or(opaque, |(content, _)| content)
    }

    pub(crate) const fn synced_at(&self) -> Option<Timestamp> {
        self.synced_at
    }

    pub(crate) fn headers(&self) -> HeaderMap {
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
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(IF_NONE_MATCH).iter().cloned().collect())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(HeaderValue::len).sum()
    }

    pub(crate) fn has(&self, version: &Version) -> bool {
        let values = self.0.iter().filter_map(|value| value.to_str().ok());
        let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
        // Weak comparison: a proxy that compresses may have dropped the `W/`, or added it.
        let opaque = version.etag.trim_start_matches("W/");
        tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == opaque)
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
