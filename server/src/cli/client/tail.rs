//! Where the last lines of a log begin, in bytes, so that they can be printed as they are.
//! Read backwards in blocks, of which none is kept.

use super::failure::Failure;
use super::log::Log;

const FIRST_BLOCK: u64 = 64 * 1024;
const LARGEST_BLOCK: u64 = 4 * 1024 * 1024;

/// The byte at which the last `lines` lines begin.
pub(super) async fn start(log: &Log<'_>, lines: u64) -> Result<u64, Failure> {
    let mut end = log.size().await?;
    let (mut block, mut wanted) = (FIRST_BLOCK, lines);
    let mut is_last_byte = true;
    if lines == 0 {
        return Ok(end);
    }
    while end > 0 {
        let from = end.saturating_sub(block);
        let bytes = read(log, from, end).await?;
        for (at, byte) in bytes.iter().enumerate().rev() {
            // The end of the last line begins no other.
            if *byte == b'\n' && !is_last_byte {
                wanted -= 1;
                if wanted == 0 {
                    return Ok(from + at as u64 + 1);
                }
            }
            is_last_byte = false;
        }
        end = from;
        block = (block * 4).min(LARGEST_BLOCK);
    }
    Ok(0)
}

async fn read(log: &Log<'_>, from: u64, until: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = log.open_from(from, Some(until)).await? {
        while let Some(chunk) = stream.next().await? {
            bytes.extend_from_slice(chunk.as_ref());
        }
    }
    Ok(bytes)
}
