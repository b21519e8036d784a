//! A file as an answer: whole, or the part that `Range` asks for, with an entity tag.
//! It is streamed, so that a log of gigabytes costs one buffer.

use super::error::Refused;
use super::extract::has_tag;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::fs::File;
use std::io::{self, Read, SeekFrom};
use std::os::unix::fs::MetadataExt;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// What is not larger is read in the same go in which it was opened.
const READ_AT_ONCE: u64 = CHUNK as u64;

enum Content {
    Whole(Vec<u8>),
    File(File),
}

pub struct Served {
    content: Content,
    size: u64,
    tag: String,
    content_type: &'static str,
}

impl Served {
    /// A file as it is at this moment; what is appended later is not part of the answer. Blocks.
    pub fn file(file: File, content_type: &'static str) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let size = metadata.len();
        let tag = format!("\"{:x}-{size:x}-{:x}-{:x}\"", metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
        if size > READ_AT_ONCE {
            return Ok(Self { content: Content::File(file), size, tag, content_type });
        }
        let mut bytes = Vec::new();
        file.take(size).read_to_end(&mut bytes)?;
        let size = bytes.len() as u64;
        Ok(Self { content: Content::Whole(bytes), size, tag, content_type })
    }

    pub fn empty(content_type: &'static str) -> Self {
        Self { content: Content::Whole(Vec::new()), size: 0, tag: "\"empty\"".to_owned(), content_type }
    }
}

pub fn respond(headers: &HeaderMap, served: Served) -> Response {
    let shared =
        [(ETAG, served.tag.clone()), (ACCEPT_RANGES, "bytes".to_owned()), (CACHE_CONTROL, "no-cache".to_owned())];
    if has_tag(headers, &served.tag) {
        return (StatusCode::NOT_MODIFIED, shared).into_response();
    }
    let size = served.size;
    let (status, first, length) = match wanted(headers, &served) {
        Wanted::All => (StatusCode::OK, 0, size),
        Wanted::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Nothing => {
            return (shared, [(CONTENT_RANGE, format!("bytes */{size}"))], nothing_there()).into_response();
        }
    };
    let body = match served.content {
        Content::File(file) => stream(file, first, length),
        Content::Whole(bytes) => Body::from(part(bytes, first, length)),
    };
    let mut response = (status, shared, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(served.content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::try_from(format!("bytes {first}-{}/{size}", first + length - 1))
    {
        headers.insert(CONTENT_RANGE, range);
    }
    response
}

fn nothing_there() -> Refused {
    Refused::new(StatusCode::RANGE_NOT_SATISFIABLE, "nothing_there", "the file ends before this range begins")
}

fn part(mut bytes: Vec<u8>, first: u64, length: u64) -> Vec<u8> {
    // Both lie within what was read.
    let (first, length) = (usize::try_from(first).unwrap_or(0), usize::try_from(length).unwrap_or(0));
    bytes.truncate(first + length);
    bytes.split_off(first)
}

fn stream(file: File, first: u64, length: u64) -> Body {
    let mut file = tokio::fs::File::from_std(file);
    let read = async move {
        file.seek(SeekFrom::Start(first)).await?;
        Ok::<_, io::Error>(ReaderStream::with_capacity(file.take(length), CHUNK))
    };
    Body::from_stream(futures_util::TryFutureExt::try_flatten_stream(read))
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part { first: u64, last: u64 },
    Nothing,
}

fn wanted(headers: &HeaderMap, served: &Served) -> Wanted {
    let is_other_version = headers.get(IF_RANGE).is_some_and(|tag| tag.as_bytes() != served.tag.as_bytes());
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    match range {
        Some(range) if !is_other_version => parse_range(range, served.size),
        _ => Wanted::All,
    }
}

/// One range of bytes. Several at once, and what is no range, get the whole file, as HTTP allows.
fn parse_range(text: &str, size: u64) -> Wanted {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::All;
    };
    let (first, last) = match (first.trim().parse::<u64>(), last.trim()) {
        (Ok(first), "") => (first, u64::MAX),
        (Ok(first), last) => match last.parse() {
            Ok(last) if last >= first => (first, last),
            _ => return Wanted::All,
        },
        (Err(_), length) if first.trim().is_empty() => match length.parse::<u64>() {
            Ok(0) => return Wanted::Nothing,
            Ok(length) => (size.saturating_sub(length), u64::MAX),
            Err(_) => return Wanted::All,
        },
        (Err(_), _) => return Wanted::All,
    };
    if first >= size {
        return Wanted::Nothing;
    }
    Wanted::Part { first, last: last.min(size - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        let part = |first, last| Wanted::Part { first, last };
        for (text, expected) in [
            ("bytes=0-", part(0, 9)),
            ("bytes=9-", part(9, 9)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=11-", Wanted::Nothing),
            ("bytes=2-4", part(2, 4)),
            ("bytes=2-99", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=4-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("lines=0-", Wanted::All),
            ("bytes=x-", Wanted::All),
        ] {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Nothing);
    }
}
