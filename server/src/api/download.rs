//! A stored file as an answer: streamed, in part where a `Range` asks for it, and never guessed at by the browser.

use crate::error::{ApiError, ApiResult};
use crate::logs::StoredFile;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, IF_RANGE,
    RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::api::ErrorCode;
use std::convert::Infallible;
use std::ops::Range;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Bytes read from disk at once; each read takes a turn on a blocking thread, so they should not be small.
const READ_BYTES: usize = 256 * 1024;

/// RFC 8187 allows some more, of which names seldom have any.
const IN_FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// What is in a stored file comes from test code: whatever it is, it runs nothing and is no part of another page.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// What a browser does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    Inline,
    Attachment,
}

/// The part of a file that a request wants. Only a GET can want one, and not on a condition that can't be checked.
pub(super) struct WantedPart(Option<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for WantedPart {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let can_want = parts.method == Method::GET && !parts.headers.contains_key(IF_RANGE);
        let mut ranges = parts.headers.get_all(RANGE).iter();
        // Of several the whole is sent, whether one header has them or two.
        let only = ranges.next().filter(|_| can_want && ranges.next().is_none());
        Ok(Self(only.cloned()))
    }
}

/// A stored file or a part of it.
pub(super) struct Download(pub(super) Response);

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        self.0
    }
}

/// A stored log or a part of it.
pub(super) struct PlainLog(pub(super) Download);

impl IntoResponse for PlainLog {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// Sends a file, or the part of it that the request asks for; one that does not exist yet is sent as empty.
pub(super) async fn send(
    stored: Option<StoredFile>,
    part: WantedPart,
    content_type: HeaderValue,
    disposition: HeaderValue,
) -> ApiResult<Download> {
    let size = stored.as_ref().map_or(0, |stored| stored.size);
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, content_type),
        (CONTENT_DISPOSITION, disposition),
        (X_CONTENT_TYPE_OPTIONS, NOSNIFF),
        (CONTENT_SECURITY_POLICY, SANDBOX),
        (CORP, SAME_ORIGIN),
        (ACCEPT_RANGES, BYTES),
    ]);
    let (status, part) = match part.of(size) {
        Requested::All => (StatusCode::OK, 0..size),
        Requested::Part(part) => {
            let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(range).map_err(ApiError::internal)?);
            (StatusCode::PARTIAL_CONTENT, part)
        }
        Requested::Nothing => {
            let total = HeaderValue::try_from(format!("bytes */{size}")).map_err(ApiError::internal)?;
            let detail = format!("there are {size} bytes; ask for a part that begins before byte {size}");
            let refusal = ApiError::new(ErrorCode::RangeNotSatisfiable, detail);
            return Ok(Download(([(CONTENT_RANGE, total), (ACCEPT_RANGES, BYTES)], refusal).into_response()));
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    Ok(Download((status, headers, stream(stored, part).await?).into_response()))
}

async fn stream(stored: Option<StoredFile>, part: Range<u64>) -> ApiResult<Body> {
    let Some(StoredFile { mut file, .. }) = stored else {
        return Ok(Body::empty());
    };
    file.seek(std::io::SeekFrom::Start(part.start)).await.map_err(ApiError::internal)?;
    let reader = file.take(part.end - part.start);
    Ok(Body::from_stream(ReaderStream::with_capacity(reader, READ_BYTES)))
}

/// `Content-Disposition` with the name that a browser saves the file under.
pub(super) fn disposition(disposition: Disposition, name: &str) -> ApiResult<HeaderValue> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let word = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let mut value = format!("{word}; filename=\"{plain}\"");
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        value.extend(utf8_percent_encode(name, IN_FILE_NAME));
    }
    HeaderValue::try_from(value).map_err(ApiError::internal)
}

#[derive(Debug, PartialEq, Eq)]
enum Requested {
    All,
    /// Never empty.
    Part(Range<u64>),
    /// A range that begins at or behind the end.
    Nothing,
}

impl WantedPart {
    /// One range is honoured. Several, or a malformed one, mean the whole file.
    fn of(&self, size: u64) -> Requested {
        let range = self.0.as_ref().and_then(|range| range.to_str().ok());
        range.and_then(|range| parse_range(range, size)).unwrap_or(Requested::All)
    }
}

fn parse_range(range: &str, size: u64) -> Option<Requested> {
    let (unit, range) = range.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let part = match (first, last) {
        ("", length) => size.saturating_sub(parse_position(length)?)..size,
        (first, "") => parse_position(first)?..size,
        (first, last) => {
            let (first, last) = (parse_position(first)?, parse_position(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(if part.start < part.end { Requested::Part(part) } else { Requested::Nothing })
}

/// A number however large.
fn parse_position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(range: &'static str, size: u64) -> Requested {
        WantedPart(Some(HeaderValue::from_static(range))).of(size)
    }

    #[test]
    fn one_range_in_each_of_its_forms_is_honoured() {
        assert_eq!(part("bytes=0-0", 10), Requested::Part(0..1));
        assert_eq!(part("bytes=2-5", 10), Requested::Part(2..6));
        assert_eq!(part("bytes=2-50", 10), Requested::Part(2..10));
        assert_eq!(part("bytes=2-", 10), Requested::Part(2..10));
        assert_eq!(part("Bytes=-3", 10), Requested::Part(7..10));
        assert_eq!(part("bytes=-30", 10), Requested::Part(0..10));
        assert_eq!(part("bytes=1-99999999999999999999999", 10), Requested::Part(1..10));
    }

    #[test]
    fn a_range_behind_the_end_can_not_be_had() {
        for (range, size) in
            [("bytes=10-", 10), ("bytes=11-12", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)]
        {
            assert_eq!(part(range, size), Requested::Nothing, "{range} of {size}");
        }
        assert_eq!(part("bytes=99999999999999999999999-", 10), Requested::Nothing);
    }

    #[test]
    fn anything_else_means_the_whole_file() {
        for range in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=+1-", "bytes=0-1,4-5", "lines=1-2"]
        {
            assert_eq!(part(range, 10), Requested::All, "{range}");
        }
        assert_eq!(WantedPart(None).of(10), Requested::All);
    }

    #[test]
    fn names_are_quoted_so_that_none_breaks_the_header() {
        let header = |name| disposition(Disposition::Attachment, name).unwrap();
        assert_eq!(header("junit.xml"), "attachment; filename=\"junit.xml\"");
        assert_eq!(header("ä\"\\.png"), "attachment; filename=\"___.png\"; filename*=UTF-8''%C3%A4%22%5C.png");
    }
}
