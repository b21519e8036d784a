//! Pages as they were last drawn, each good for a moment and as long as the API answers what it was drawn from the same. Its
//! questions are asked anew for every visitor, so it is right on every replica; what is spared is the drawing.

use crate::kept::{Kept, locked};
use axum::body::Bytes;
use axum::http::HeaderName;
use axum::http::request::Parts;
use protocol::api::REQUEST_ID_HEADER;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};

/// Some dozens of pages, and little beside what the rest of the server needs.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Each request's own.
const REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);

/// The address and the headers of a request: what beside the answers a page may be drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request([u8; 32]);

impl Request {
    pub(super) fn of(request: &Parts) -> Self {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        };
        add(request.uri.path_and_query().map_or("", |address| address.as_str()).as_bytes());
        for (name, value) in request.headers.iter().filter(|(name, _)| **name != REQUEST_ID) {
            add(name.as_str().as_bytes());
            add(value.as_bytes());
        }
        Self(digest.finalize().into())
    }
}

/// A page, in pieces with a place for the nonce between each two of them.
pub(super) struct Drawn {
    /// What it was drawn from.
    pub(super) told: String,
    pieces: Vec<String>,
}

impl Drawn {
    pub(super) fn new(told: String, html: &str, nonce: &str) -> Self {
        Self { told, pieces: html.split(nonce).map(str::to_owned).collect() }
    }

    pub(super) fn with_nonce(&self, nonce: &str) -> Bytes {
        self.pieces.join(nonce).into()
    }

    fn size(&self) -> usize {
        self.told.len() + self.pieces.iter().map(String::len).sum::<usize>()
    }
}

/// For no longer than a moment: a page also tells how old things are.
#[derive(Clone)]
pub(super) struct KeptPages(Arc<Mutex<Kept<Request, Arc<Drawn>>>>);

impl Default for KeptPages {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Kept::of_at_most(MAX_BYTES))))
    }
}

impl KeptPages {
    pub(super) fn find(&self, request: Request) -> Option<Arc<Drawn>> {
        locked(&self.0).find(&request).cloned()
    }

    pub(super) fn keep(&self, request: Request, page: Drawn) {
        let size = page.size();
        locked(&self.0).keep(request, Arc::new(page), size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request as HttpRequest;

    fn request(url: &str, headers: &[(&str, &str)]) -> Request {
        let builder = headers
            .iter()
            .fold(HttpRequest::builder().uri(url), |builder, (name, value)| builder.header(*name, *value));
        Request::of(&builder.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_page_is_kept_for_one_address_and_one_visitor() {
        let cookie = [("cookie", "testarena_session=a; theme=dark")];
        let one = request("/?search=1", &cookie);
        assert_eq!(one, request("/?search=1", &[cookie[0], ("x-request-id", "another")]));
        assert_ne!(one, request("/?search=2", &cookie));
        assert_ne!(one, request("/?search=1", &[("cookie", "testarena_session=b; theme=dark")]));
        assert_ne!(one, request("/?search=1", &[("cookie", "testarena_session=a; theme=light")]));
        assert_ne!(one, request("/?search=1", &[cookie[0], ("authorization", "Basic eA==")]));
    }

    #[test]
    fn each_visit_has_a_nonce_of_its_own() {
        let page = Drawn::new(String::new(), "<script nonce=\"one\"></script><link nonce=\"one\">", "one");
        assert_eq!(page.with_nonce("two"), "<script nonce=\"two\"></script><link nonce=\"two\">");
    }
}
