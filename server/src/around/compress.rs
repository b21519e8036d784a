//! Sends pages and JSON compressed to those who take it. What is a stream, already compressed or not worth it goes as it
//! is, and whoever takes no compressed answer pays nothing.

use crate::encoding::{self, Coding};
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY,
};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// A shorter one fits into a packet or two as it is.
const SHORTEST: u64 = 1_024;
/// A longer one is compressed on a thread where it holds up nobody.
const LONGEST_HERE: usize = 64 * 1_024;
/// Most of what can be saved, for a small part of the time that the best would take.
const LEVEL: u32 = 2;

/// The form in which the answer may go. Only what is read is compressed: other answers may hold a secret beside
/// something that the caller chose, whose size would tell of it.
pub(super) fn wanted(request: &Request) -> Coding {
    if request.method() == Method::GET {
        encoding::choose(request.headers(), &[Coding::Gzip, Coding::Identity])
    } else {
        Coding::Identity
    }
}

pub(super) async fn compress(mut response: Response, wanted: Coding) -> Response {
    if response.status() == StatusCode::NOT_MODIFIED {
        depends_on_coding(response.headers_mut());
        return response;
    }
    if !is_worth_it(&response) {
        return response;
    }
    depends_on_coding(response.headers_mut());
    let Some(coding) = wanted.header() else { return response };
    let (mut parts, body) = response.into_parts();
    // It is in memory already.
    let Ok(plain) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let packed = if plain.len() <= LONGEST_HERE {
        pack(&plain)
    } else {
        let plain = plain.clone();
        tokio::task::spawn_blocking(move || pack(&plain)).await.ok().flatten()
    };
    let Some(packed) = packed else { return Response::from_parts(parts, Body::from(plain)) };
    parts.headers.insert(CONTENT_ENCODING, coding);
    parts.headers.remove(CONTENT_LENGTH);
    weaken_etag(&mut parts.headers);
    Response::from_parts(parts, Body::from(packed))
}

fn is_worth_it(response: &Response) -> bool {
    let headers = response.headers();
    let is_whole = response.body().size_hint().exact().is_some_and(|size| size >= SHORTEST);
    is_whole
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(is_text)
}

fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_json_or_xml = essence.ends_with("json") || essence.ends_with("xml");
    essence.starts_with("text/") || (essence.starts_with("application/") && is_json_or_xml)
}

fn depends_on_coding(headers: &mut HeaderMap) {
    let is_said = headers.get_all(VARY).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"accept-encoding"));
    if !is_said {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// The bytes are others than those that a strong one names.
fn weaken_etag(headers: &mut HeaderMap) {
    let Some(strong) = headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")) else { return };
    let weak = HeaderValue::from_bytes(&[b"W/", strong.as_bytes()].concat());
    headers.remove(ETAG);
    headers.extend(weak.map(|etag| (ETAG, etag)).ok());
}

/// `None`: it would not be smaller.
fn pack(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::new(LEVEL));
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().filter(|packed| packed.len() < plain.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compressed_and_nothing_else() {
        for kind in ["application/json", "application/problem+json", "text/html; charset=utf-8", "application/xml"] {
            assert!(is_text(kind), "{kind}");
        }
        for kind in ["image/png", "image/svg+xml", "application/octet-stream", "application/wasm", ""] {
            assert!(!is_text(kind), "{kind}");
        }
    }

    #[test]
    fn a_strong_tag_names_no_compressed_bytes() {
        for (etag, weak) in [("\"7\"", "W/\"7\""), ("W/\"7\"", "W/\"7\"")] {
            let mut headers = HeaderMap::from_iter([(ETAG, etag.parse().unwrap())]);
            weaken_etag(&mut headers);
            assert_eq!(headers[ETAG], weak);
        }
    }
}
