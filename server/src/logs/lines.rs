//! One line after the other, of each only as much as is shown: a line of 100 MB costs no more than one of 64 KiB.
//! And how the bytes of a line become text.

use super::dress::{Around, dressed};
use super::index::LineIndex;
use super::screen::{PLAYED_BYTES, Seen, play, seen, without_line_end};
use super::style::Style;
use super::turns::{RESTART_BYTES, first_turn, last_restart};
use memchr::memchr;
use protocol::api::MAX_LINE_BYTES;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes read at once: about what a window of a thousand lines needs.
const READ_BYTES: usize = 64 * 1024;
/// Bytes looked through at once for what a very long line ends with.
const LOOK_BYTES: u64 = 1024 * 1024;
/// How far back a return is looked for: a state of a progress bar that is longer is none.
const LOOK_BACK: u64 = 4 * LOOK_BYTES;
/// No line end with its carriage returns is longer.
const LINE_END_BYTES: usize = 1024;

/// A part of a log. It has a place of its own in the file, so others can read there as well.
pub(super) struct Stretch<'a> {
    log: &'a File,
    range: Range<u64>,
}

impl<'a> Stretch<'a> {
    pub(super) fn new(log: &'a File, range: Range<u64>) -> Self {
        Self { log, range }
    }
}

impl Read for Stretch<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.range.end.saturating_sub(self.range.start);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.log.read_at(&mut buffer[..wanted], self.range.start)?;
        self.range.start += read as u64;
        Ok(read)
    }
}

/// What was read of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// All of it; the next line follows.
    Whole,
    /// Its beginning; the reader stands somewhere within the line.
    Long,
}

pub(super) struct LineReader<'a> {
    reader: BufReader<Stretch<'a>>,
    /// Where the reader stands.
    at: u64,
    /// What was read of the last line, and where it begins.
    head: Vec<u8>,
    start: u64,
}

impl<'a> LineReader<'a> {
    /// Reads from `offset` on, as far as `size`: a log that grows meanwhile does not change what is read.
    pub(super) fn at(log: &'a File, offset: u64, size: u64) -> Self {
        let reader = BufReader::with_capacity(READ_BYTES, Stretch::new(log, offset..size));
        Self { reader, at: offset, head: Vec::new(), start: offset }
    }

    /// `None` at the end of the log.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        self.head.clear();
        self.start = self.at;
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok((!self.head.is_empty()).then_some(Line::Whole));
            }
            let end = memchr(b'\n', bytes).map(|at| at + 1);
            let used = end.unwrap_or(bytes.len());
            self.head.extend_from_slice(&bytes[..used]);
            self.reader.consume(used);
            self.at += used as u64;
            if end.is_some() {
                return Ok(Some(Line::Whole));
            }
            if self.head.len() > PLAYED_BYTES {
                return Ok(Some(Line::Long));
            }
        }
    }

    /// The last line, or its beginning.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Where the last line begins.
    pub(super) fn start(&self) -> u64 {
        self.start
    }
}

/// A line's text: as a terminal shows it, with U+FFFD for what is not UTF-8, cut where it is too long. It begins with
/// the colours that are still set from the lines before, which become those of the next line.
pub(super) fn shown(line: &[u8], style: &mut Style) -> String {
    let line = without_line_end(line);
    let seen = seen(line);
    let (Seen::AsItIs(from) | Seen::Played(from)) = seen;
    let (before, rest) = line.split_at(from);
    let mut around = Around { line: *style, text: *style, next: *style };
    around.text.read(before);
    around.next = around.text;
    around.next.read(rest);
    *style = around.next;
    let text = match seen {
        Seen::AsItIs(_) => head_of(rest),
        Seen::Played(_) => play(rest, around.text),
    };
    dressed(text, &around)
}

/// The text of a line that is too long to be read whole; `range` is all of it with its line end; `line` and `next` are
/// the colours where it begins, and where the next one does.
pub(super) fn shown_long(
    log: &File,
    index: &LineIndex,
    range: Range<u64>,
    (line, next): (Style, Style),
) -> io::Result<String> {
    let wanted = (PLAYED_BYTES + LINE_END_BYTES) as u64;
    let mut tail_start = range.start.max(range.end.saturating_sub(wanted));
    let tail = read_range(log, tail_start..range.end)?;
    let tail = without_line_end(&tail);
    let beyond = tail.len().saturating_sub(PLAYED_BYTES + 1);
    let tail = &tail[beyond..];
    tail_start += beyond as u64;
    if let Some(at) = first_turn(tail) {
        let text = index.style_at(log, tail_start + at as u64)?;
        return Ok(dressed(play(&tail[at..], text), &Around { line, text, next }));
    }
    let look_from = range.start.max(tail_start.saturating_sub(LOOK_BACK));
    // The tail may begin within what lets the line begin anew.
    let look_until = range.end.min(tail_start + RESTART_BYTES as u64);
    let (start, text) = match last_restart_in(log, look_from..look_until)? {
        Some(start) => (start, index.style_at(log, start)?),
        None => (range.start, line),
    };
    let head = read_range(log, start..range.end.min(start + MAX_LINE_BYTES as u64 + 1))?;
    Ok(dressed(head_of(without_line_end(&head)), &Around { line, text, next }))
}

fn read_range(log: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Stretch::new(log, range).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_restart_in(log: &File, range: Range<u64>) -> io::Result<Option<u64>> {
    let mut end = range.end;
    while end > range.start {
        let start = range.start.max(end.saturating_sub(LOOK_BYTES));
        // Pieces overlap, so that none cuts what is looked for.
        let piece = read_range(log, start..range.end.min(end + RESTART_BYTES as u64))?;
        if let Some(at) = last_restart(&piece) {
            return Ok(Some(start + at as u64));
        }
        end = start;
    }
    Ok(None)
}

/// One byte more than is shown tells that there is more.
fn head_of(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(MAX_LINE_BYTES + 1)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plainly(line: &[u8]) -> String {
        shown(line, &mut Style::default())
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_carriage_returns_of_line_ends_go() {
        assert_eq!(plainly(b"a\xffb\xe2\x82"), "a\u{fffd}b\u{fffd}");
        assert_eq!(plainly(b"10%\r20%\r"), "20%");
        assert_eq!(plainly(b"all\r\r\n"), "all");
        assert_eq!(plainly("äöü".as_bytes()), "äöü");
    }

    #[test]
    fn a_line_begins_in_the_colours_that_are_still_set() {
        let mut style = Style::PLAIN;
        style.read(b"\x1b[1;33m");
        for (line, expected) in [
            ("middle\n", "\x1b[1;33mmiddle"),
            ("end\x1b[0m\r\n", "\x1b[1;33mend\x1b[0m"),
            ("\x1b[0mplain", "\x1b[0mplain"),
            ("\x1b[mplain", "\x1b[mplain"),
            ("\n", ""),
            ("10%\r20%\n", "\x1b[1;33m20%"),
            ("\x1b[1;33mmore", "\x1b[1;33mmore"),
        ] {
            let mut begins_with = style;
            assert_eq!(shown(line.as_bytes(), &mut begins_with), expected, "{line:?}");
        }
        assert!(shown(&vec![b'x'; MAX_LINE_BYTES], &mut style).len() <= MAX_LINE_BYTES);
    }

    #[test]
    fn a_line_is_cut_at_a_character_and_never_longer_than_promised() {
        assert_eq!(plainly(&vec![b'x'; MAX_LINE_BYTES]).len(), MAX_LINE_BYTES);
        for filler in ["x", "ä", "€", "😀", "\u{fffd}"] {
            for prefix in ["", "a", "ab", "abc"] {
                for ending in ["", "\r\n", "\rx"] {
                    let text = plainly((prefix.to_owned() + &filler.repeat(MAX_LINE_BYTES + 1) + ending).as_bytes());
                    if ending == "\rx" {
                        assert_eq!(text, "x");
                        continue;
                    }
                    assert!(text.len() <= MAX_LINE_BYTES && text.len() > MAX_LINE_BYTES - 8);
                    assert!(text.ends_with(&format!("{filler}…")), "{filler}");
                }
            }
        }
        let replaced = plainly(&vec![0xff; MAX_LINE_BYTES - 10]);
        assert!(replaced.len() <= MAX_LINE_BYTES && replaced.ends_with("\u{fffd}…"));
        let played = plainly(format!("x\r{}", "ä".repeat(MAX_LINE_BYTES)).as_bytes());
        assert!(played.len() <= MAX_LINE_BYTES && played.ends_with("ä…"));
    }
}
