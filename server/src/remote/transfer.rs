//! Bodies that may be large: pieces of a log, and result files on their way to disk.
//! Both are read as they come, so that their size is never the size of our memory.

use super::RemoteError;
use super::http::Reply;
use axum::http::StatusCode;
use axum::http::header::CONTENT_RANGE;
use std::io;
use std::path::Path;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

/// Most bytes of a log that one call brings.
const MAX_PIECE_BYTES: usize = 4 * 1024 * 1024;
/// A result file gets a whole call's time for each so many bytes: large ones may take long, stalled ones may not.
const BYTES_PER_DEADLINE: usize = 4 * 1024 * 1024;

/// The log from offset `from` on, at most 4 MiB of it.
pub async fn read_piece(mut reply: Reply, from: u64) -> Result<Vec<u8>, RemoteError> {
    let is_part = reply.status() == StatusCode::PARTIAL_CONTENT;
    // A server without ranges sends the log from its beginning.
    let mut to_skip = if is_part { 0 } else { from };
    if is_part && first_byte(&reply) != Some(from) {
        let name = reply.name();
        return Err(RemoteError::transient(format!("{name} answered another range than from byte {from} on")));
    }
    let mut piece = Vec::new();
    while piece.len() < MAX_PIECE_BYTES {
        let chunk = match reply.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            // What has come is part of the log; the rest is asked for next time.
            Err(_) if !piece.is_empty() => break,
            Err(error) => return Err(error),
        };
        let chunk = chunk.as_ref();
        let skipped = usize::try_from(to_skip).unwrap_or(usize::MAX).min(chunk.len());
        to_skip -= skipped as u64;
        let room = MAX_PIECE_BYTES - piece.len();
        piece.extend(chunk[skipped..].iter().take(room));
    }
    Ok(piece)
}

/// N of `Content-Range: bytes N-M/size`.
fn first_byte(reply: &Reply) -> Option<u64> {
    reply.header(CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// Writes a body beside `target` and puts it there when it is whole. Gives its size in bytes.
pub async fn save(mut reply: Reply, target: &Path) -> Result<u64, RemoteError> {
    let here = |error: io::Error| {
        let private = format!("can't write {}: {error}", target.display());
        RemoteError::told_apart(format!("a result file can't be kept here: {}", error.kind()), private)
    };
    let (part, mut file) = create_beside(target).await.map_err(here)?;
    let (mut size, mut since_deadline) = (0, 0);
    while let Some(chunk) = reply.chunk().await? {
        let chunk = chunk.as_ref();
        file.write_all(chunk).await.map_err(here)?;
        size += chunk.len() as u64;
        since_deadline += chunk.len();
        if since_deadline >= BYTES_PER_DEADLINE {
            since_deadline = 0;
            reply.renew_deadline();
        }
    }
    file.sync_all().await.map_err(here)?;
    let path = target.to_owned();
    let kept = tokio::task::spawn_blocking(move || part.persist(path).map(drop).map_err(|error| error.error)).await;
    kept.map_err(io::Error::other).flatten().map_err(here)?;
    Ok(size)
}

/// A file that goes away by itself unless it is put in its place.
async fn create_beside(target: &Path) -> io::Result<(NamedTempFile, tokio::fs::File)> {
    let folder = target.parent().unwrap_or(Path::new(".")).to_owned();
    let create = move || {
        std::fs::create_dir_all(&folder)?;
        let part = NamedTempFile::new_in(folder)?;
        let file = part.reopen()?;
        Ok((part, tokio::fs::File::from_std(file)))
    };
    tokio::task::spawn_blocking(create).await.map_err(io::Error::other)?
}
