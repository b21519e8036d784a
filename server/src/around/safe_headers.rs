//! Headers that keep browsers from doing more with an answer than was meant. An answer that has its own keeps them.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};

/// What is no page of ours loads nothing, runs nothing, and is shown in no frame.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Never `no-referrer`, which would make our own forms say `Origin: null`.
const TO_OURSELVES: HeaderValue = HeaderValue::from_static("same-origin");
/// A year: browsers that have been here come by https only.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

pub(super) struct SafeHeaders(Vec<(HeaderName, HeaderValue)>);

impl SafeHeaders {
    /// For a server that is reached at this address.
    pub(super) fn new(public_url: &str) -> Self {
        let mut headers = vec![
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, TO_OURSELVES),
            (CONTENT_SECURITY_POLICY, NOTHING),
            (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        ];
        if public_url.starts_with("https:") {
            headers.push((STRICT_TRANSPORT_SECURITY, HTTPS_ONLY));
        }
        Self(headers)
    }

    pub(super) fn put_on(&self, answer: &mut HeaderMap) {
        for (name, value) in &self.0 {
            if !answer.contains_key(name) {
                answer.insert(name, value.clone());
            }
        }
    }
}
