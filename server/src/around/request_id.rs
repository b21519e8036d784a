//! The name of a request in its answer and in the log: the caller's own where it is a plain word, else a new one.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use protocol::api::REQUEST_ID_HEADER;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower_http::request_id::{MakeRequestId, RequestId};

pub(super) const ID_HEADER: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);
const MAX_BYTES: usize = 64;

/// Leaves the request without an id unless it has one that may be sent back and logged.
pub(super) fn drop_unless_plain(mut request: Request) -> Request {
    let mut ids = request.headers().get_all(ID_HEADER).iter();
    let is_fit = match (ids.next(), ids.next()) {
        (None, _) => return request,
        (Some(id), None) => is_plain(id.as_bytes()),
        // Which of two is meant can't be known.
        (Some(_), Some(_)) => false,
    };
    if !is_fit {
        request.headers_mut().remove(ID_HEADER);
    }
    request
}

fn is_plain(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(is_plain)
}

/// New ids: the process's own random part, and a number.
#[derive(Clone)]
pub(super) struct MakeId {
    process: u64,
    count: Arc<AtomicU64>,
}

impl Default for MakeId {
    fn default() -> Self {
        Self { process: rand::random(), count: Arc::default() }
    }
}

impl MakeRequestId for MakeId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:016x}-{number:x}", self.process)).ok().map(RequestId::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_short_word_is_an_id() {
        for id in ["mine", "A-b_c.9", "0".repeat(64).as_str()] {
            assert!(is_plain(id.as_bytes()), "{id}");
        }
        for id in ["", "a b", "a\tb", "a,b", "a=b", "\"a\"", "ä", "\u{1b}[31m", "0".repeat(65).as_str()] {
            assert!(!is_plain(id.as_bytes()), "{id}");
        }
    }
}
