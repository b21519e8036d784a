//! One line after the other, of each only as much as is shown: a line of 100 MB costs no more than one of 64 KiB.
//! And how the bytes of a line become text.

use super::index::LineIndex;
use super::screen::{PLAYED_BYTES, Seen, play, seen, without_line_end};
use super::style::Style;
use memchr::{memchr, memrchr};
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
/// Stands where a line was cut.
const CUT_MARK: &str = "…";

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
/// the colours that are still set from the lines before.
pub(super) fn shown(line: &[u8], mut style: Style) -> String {
    let line = without_line_end(line);
    let (Seen::AsItIs(from) | Seen::Played(from)) = seen(line);
    let (before, rest) = line.split_at(from);
    style.read(before);
    match seen(line) {
        Seen::AsItIs(_) => dressed(head_of(rest), style),
        Seen::Played(_) => dressed(play(rest, style), style),
    }
}

/// The text of a line that is too long to be read whole; `range` is all of it with its line end, `style` its first.
pub(super) fn shown_long(log: &File, index: &LineIndex, range: Range<u64>, style: Style) -> io::Result<String> {
    let wanted = (PLAYED_BYTES + LINE_END_BYTES) as u64;
    let mut tail_start = range.start.max(range.end.saturating_sub(wanted));
    let tail = read_range(log, tail_start..range.end)?;
    let tail = without_line_end(&tail);
    let beyond = tail.len().saturating_sub(PLAYED_BYTES + 1);
    let tail = &tail[beyond..];
    tail_start += beyond as u64;
    if let Some(at) = memchr(b'\r', tail) {
        let style = index.style_at(log, tail_start + at as u64)?;
        return Ok(dressed(play(&tail[at..], style), style));
    }
    let look_from = range.start.max(tail_start.saturating_sub(LOOK_BACK));
    let (start, style) = match last_return(log, look_from..tail_start)? {
        Some(at) => (at + 1, index.style_at(log, at)?),
        None => (range.start, style),
    };
    let head = read_range(log, start..range.end.min(start + MAX_LINE_BYTES as u64 + 1))?;
    Ok(dressed(head_of(without_line_end(&head)), style))
}

fn read_range(log: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Stretch::new(log, range).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_return(log: &File, range: Range<u64>) -> io::Result<Option<u64>> {
    let mut end = range.end;
    while end > range.start {
        let start = range.start.max(end.saturating_sub(LOOK_BYTES));
        if let Some(at) = memrchr(b'\r', &read_range(log, start..end)?) {
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

fn dressed(text: String, style: Style) -> String {
    let begins_anew = text.is_empty() || text.starts_with("\x1b[0m") || text.starts_with("\x1b[m");
    if style.is_plain() || begins_anew {
        return cut(text);
    }
    let mut dressed = String::with_capacity(text.len() + 16);
    style.write(&mut dressed);
    if text.starts_with(&dressed) {
        return cut(text);
    }
    dressed.push_str(&text);
    cut(dressed)
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_LINE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_LINE_BYTES - CUT_MARK.len()));
        text.push_str(CUT_MARK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plainly(line: &[u8]) -> String {
        shown(line, Style::PLAIN)
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
            assert_eq!(shown(line.as_bytes(), style), expected, "{line:?}");
        }
        assert!(shown(&vec![b'x'; MAX_LINE_BYTES], style).len() <= MAX_LINE_BYTES);
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
