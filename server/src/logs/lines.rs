//! One line after the other, of each only as much as is shown: a line of 100 MB costs no more than one of 16 KiB.
//! And how the bytes of a line become text.

use memchr::memchr;
use protocol::api::MAX_LINE_BYTES;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take};

/// Bytes read at once: about what a window of a thousand lines needs.
const READ_BYTES: usize = 64 * 1024;
/// Stands where a line was cut.
const CUT_MARK: &str = "…";

/// What was read of a line.
pub(super) enum Line {
    /// All of it; the next line follows.
    Whole(String),
    /// Its beginning; the reader stands somewhere within the line.
    Cut(String),
}

pub(super) struct LineReader<'a> {
    reader: BufReader<Take<&'a File>>,
    head: Vec<u8>,
}

impl<'a> LineReader<'a> {
    /// Reads from `offset` on, as far as `size`: a log that grows meanwhile does not change what is read.
    pub(super) fn at(mut log: &'a File, offset: u64, size: u64) -> io::Result<Self> {
        log.seek(SeekFrom::Start(offset))?;
        let reader = BufReader::with_capacity(READ_BYTES, log.take(size.saturating_sub(offset)));
        Ok(Self { reader, head: Vec::new() })
    }

    /// `None` at the end of the log.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        self.head.clear();
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                let is_last_line = !self.head.is_empty();
                return Ok(is_last_line.then(|| Line::Whole(shown(&self.head))));
            }
            // One byte more than is shown tells that there is more.
            let room = (MAX_LINE_BYTES + 1).saturating_sub(self.head.len());
            let end = memchr(b'\n', bytes);
            let (used, kept) = end.map_or((bytes.len(), bytes.len()), |at| (at + 1, at));
            self.head.extend_from_slice(&bytes[..kept.min(room)]);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(Line::Whole(shown(&self.head))));
            }
            if self.head.len() > MAX_LINE_BYTES {
                return Ok(Some(Line::Cut(shown(&self.head))));
            }
        }
    }
}

/// A line's text: without the carriage return of a line end, with U+FFFD for what is not UTF-8, cut where it is too long.
pub(super) fn shown(line: &[u8]) -> String {
    let head = &line[..line.len().min(MAX_LINE_BYTES + 1)];
    let text = String::from_utf8_lossy(head.strip_suffix(b"\r").unwrap_or(head));
    if text.len() <= MAX_LINE_BYTES {
        return text.into_owned();
    }
    cut(text)
}

fn cut(text: Cow<'_, str>) -> String {
    let mut text = text.into_owned();
    text.truncate(text.floor_char_boundary(MAX_LINE_BYTES - CUT_MARK.len()));
    text.push_str(CUT_MARK);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf8_is_replaced_and_carriage_returns_of_line_ends_go() {
        assert_eq!(shown(b"a\xffb\xe2\x82"), "a\u{fffd}b\u{fffd}");
        assert_eq!(shown(b"10%\r20%\r"), "10%\r20%");
        assert_eq!(shown("äöü".as_bytes()), "äöü");
    }

    #[test]
    fn a_line_is_cut_at_a_character_and_never_longer_than_promised() {
        assert_eq!(shown(&vec![b'x'; MAX_LINE_BYTES]).len(), MAX_LINE_BYTES);
        for filler in ["x", "ä", "€", "😀", "\u{fffd}"] {
            for prefix in ["", "a", "ab", "abc"] {
                let text = shown((prefix.to_owned() + &filler.repeat(MAX_LINE_BYTES + 1)).as_bytes());
                assert!(text.len() <= MAX_LINE_BYTES && text.len() > MAX_LINE_BYTES - 8);
                assert!(text.ends_with(&format!("{filler}…")), "{filler}");
            }
        }
        let replaced = shown(&vec![0xff; MAX_LINE_BYTES - 10]);
        assert!(replaced.len() <= MAX_LINE_BYTES && replaced.ends_with("\u{fffd}…"));
    }
}
