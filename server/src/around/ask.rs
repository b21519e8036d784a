//! What may be asked at all: one host, no endless headers, and a body that comes whole, in time and within its limit,
//! whoever reads it then.

use crate::error::{ApiError, too_large};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{EXPECT, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Version};
use futures_util::{Stream, StreamExt};
use protocol::api::ErrorCode;
use std::time::Duration;

/// Of the names and values of all headers.
const MAX_HEADER_BYTES: usize = 32 * 1_024;
const MAX_HEADERS: usize = 100;
/// Largest body of a request: a thousand scenarios of the longest names are a quarter of it.
pub const MAX_BODY_BYTES: usize = 1_024 * 1_024;
/// For the whole of a body.
const BODY_LIMIT: Duration = Duration::from_secs(30);
/// So much more of a body that is too large is taken and thrown away, so that its sender, who may still be sending,
/// comes to read the answer.
const MAX_WASTE_BYTES: usize = 16 * 1_024 * 1_024;
const WASTE_LIMIT: Duration = Duration::from_secs(2);

/// The request with its whole body, or why it is not taken.
pub(super) async fn take(request: Request) -> Result<Request, ApiError> {
    if request.headers().len() > MAX_HEADERS || size_of(request.headers()) > MAX_HEADER_BYTES {
        let told = "a request may have at most 100 headers and 32 KiB of them";
        return Err(ApiError::new(ErrorCode::HeadersTooLarge, told));
    }
    require_host(&request)?;
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let announced = body.size_hint().lower();
    // Whoever asked first whether to send is not sending.
    let is_coming = !parts.headers.contains_key(EXPECT);
    let mut pieces = body.into_data_stream();
    if announced > MAX_BODY_BYTES as u64 {
        if is_coming {
            waste(&mut pieces).await;
        }
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_LIMIT, read(&mut pieces)).await {
        Ok(Read::Whole(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Read::TooLarge) => {
            waste(&mut pieces).await;
            Err(too_large())
        }
        Ok(Read::Broken) => Err(ApiError::new(ErrorCode::MalformedJson, "the body could not be read to its end")),
        Err(_) => Err(ApiError::new(ErrorCode::TooSlow, "the body did not come within 30 s")),
    }
}

/// As HTTP/1.1 wants it: of two hosts a proxy may have gone by the other one.
fn require_host(request: &Request) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let told = match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => return Ok(()),
        (None, _) if request.version() < Version::HTTP_11 => return Ok(()),
        (None, _) => "a request of HTTP/1.1 needs a Host header",
        (Some(_), Some(_)) => "a request may have one Host header",
        (Some(_), None) => "the Host header has to be a host, with or without a port",
    };
    Err(ApiError::new(ErrorCode::MalformedRequest, told))
}

/// Empty is what somebody says who asks for nothing that has a host.
fn is_host(value: &HeaderValue) -> bool {
    let host = value.as_bytes();
    host.is_empty() || (!host.contains(&b'@') && Authority::try_from(host).is_ok())
}

fn size_of(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

enum Read {
    Whole(Bytes),
    TooLarge,
    Broken,
}

async fn read(pieces: &mut (impl Stream<Item = Result<Bytes, axum::Error>> + Unpin)) -> Read {
    let mut body = Vec::new();
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else { return Read::Broken };
        if body.len() + piece.len() > MAX_BODY_BYTES {
            return Read::TooLarge;
        }
        body.extend_from_slice(&piece);
    }
    Read::Whole(body.into())
}

async fn waste(pieces: &mut (impl Stream<Item = Result<Bytes, axum::Error>> + Unpin)) {
    let mut wasted = 0;
    let waste = async {
        while let Some(Ok(piece)) = pieces.next().await {
            wasted += piece.len();
            if wasted > MAX_WASTE_BYTES {
                break;
            }
        }
    };
    // Either way the answer comes now.
    let _in_time = tokio::time::timeout(WASTE_LIMIT, waste).await;
}
