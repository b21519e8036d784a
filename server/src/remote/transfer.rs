//! Bodies that may be large: pieces of a log, and result files on their way to disk.
//! Both are read as they come, so that their size is never the size of our memory.

use super::http::Reply;
use super::{LogPiece, RemoteError};
use crate::logs::Part;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};

/// Most bytes of a log that one call brings.
const MAX_PIECE_BYTES: usize = 4 * 1024 * 1024;
/// Types of what other programs have to say.
const PAGES: [&str; 2] = ["text/html", "application/xhtml+xml"];
/// Least bytes a second of a result file, on average over a whole call's time. Sixteen that share a line of 1 Mbit/s have
/// twice as much each; one that is silent, or trickles, ends.
const LEAST_RATE: u64 = 4 * 1024;

/// The log from offset `from` on, at most 4 MiB of it.
pub async fn read_piece(mut reply: Reply, from: u64) -> Result<LogPiece, RemoteError> {
    require_plain_text(&reply)?;
    let is_part = reply.status() == StatusCode::PARTIAL_CONTENT;
    let range = content_range(&reply);
    if is_part && range.first != Some(from) {
        return Err(odd(&reply, &format!("answered another range than from byte {from} on")));
    }
    let mut total = if is_part { range.total } else { content_length(&reply) };
    let mut bytes = Vec::new();
    if total.is_some_and(|total| total < from) {
        return Ok(LogPiece { bytes, total });
    }
    // A server without ranges sends the log from its beginning.
    let mut to_skip = if is_part { 0 } else { from };
    let mut seen = 0;
    while bytes.len() < MAX_PIECE_BYTES {
        let chunk = match reply.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => {
                // A whole log that has ended has told its size.
                let is_whole = reply.status() == StatusCode::OK;
                total = total.or(is_whole.then_some(seen));
                break;
            }
            // What has come is part of the log; the rest is asked for next time.
            Err(_) if !bytes.is_empty() => break,
            Err(error) => return Err(error),
        };
        let chunk = chunk.as_ref();
        seen += chunk.len() as u64;
        let skipped = usize::try_from(to_skip).unwrap_or(usize::MAX).min(chunk.len());
        to_skip -= skipped as u64;
        let room = MAX_PIECE_BYTES - bytes.len();
        bytes.extend(chunk[skipped..].iter().take(room));
    }
    Ok(LogPiece { bytes, total })
}

/// A log is plain text: anything else is some other program's page, such as a proxy's.
fn require_plain_text(reply: &Reply) -> Result<(), RemoteError> {
    let Some(named) = content_type(reply) else { return Ok(()) };
    if named.eq_ignore_ascii_case("text/plain") {
        return Ok(());
    }
    Err(odd(reply, "answered a page that is no log, since its type is not text/plain: check for a proxy in between"))
}

/// Without its parameters; empty where it can't be read.
fn content_type(reply: &Reply) -> Option<&str> {
    let named = reply.headers().get(CONTENT_TYPE)?;
    Some(named.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim())
}

fn odd(reply: &Reply, what: &str) -> RemoteError {
    RemoteError::told_apart(format!("the remote server {what}"), format!("{} {what}", reply.name()))
}

/// `Content-Range: bytes N-M/total`, or `bytes */total` where there is nothing from there on.
struct ContentRange {
    first: Option<u64>,
    total: Option<u64>,
}

fn content_range(reply: &Reply) -> ContentRange {
    let named = reply.header(CONTENT_RANGE).and_then(|range| range.trim().strip_prefix("bytes "));
    let (range, total) = named.and_then(|named| named.split_once('/')).unwrap_or_default();
    let first = range.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
    ContentRange { first, total: total.trim().parse().ok() }
}

/// What the answer to a range behind the end names as the log's size.
pub fn named_total(reply: &Reply) -> Option<u64> {
    content_range(reply).total
}

fn content_length(reply: &Reply) -> Option<u64> {
    let is_without_body = reply.status() == StatusCode::NO_CONTENT;
    reply.header(CONTENT_LENGTH).filter(|_| !is_without_body)?.trim().parse().ok()
}

/// Takes a body down as it comes, until it ends or there is no use in reading on, which the part itself knows.
/// A page of another size than was `listed` is not the file: some other program's, such as a filter's that lets nobody have
/// it. A report that has grown since is such a page as well, until it is listed anew.
pub async fn save(mut reply: Reply, listed: u64, part: &mut Part) -> Result<(), RemoteError> {
    let is_page = content_type(&reply).is_some_and(|named| PAGES.iter().any(|page| named.eq_ignore_ascii_case(page)));
    // A large file on a slow line may take long: it gets a whole call's time for each piece of this size.
    let piece = LEAST_RATE * u64::try_from(reply.time_limit().as_millis()).unwrap_or(u64::MAX / LEAST_RATE) / 1000;
    let mut of_piece = 0;
    reply.renew_deadline();
    while let Some(chunk) = reply.chunk().await? {
        let chunk = chunk.as_ref();
        if !part.write(chunk).await {
            return Ok(());
        }
        of_piece += chunk.len() as u64;
        if of_piece >= piece {
            of_piece = 0;
            reply.renew_deadline();
        }
    }
    if is_page && part.size() != listed {
        let what = "answered a page in the place of a result file, not of its size: check for a proxy in between";
        return Err(odd(&reply, what));
    }
    Ok(())
}
