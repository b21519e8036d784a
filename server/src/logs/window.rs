//! A few lines of a log, from anywhere in it, at the cost of these lines and no more.

use super::index::LineIndex;
use super::lines::{Line, LineReader, shown, shown_long};
use std::collections::VecDeque;
use std::fs::File;
use std::io;

/// Most bytes of text in one answer, as JSON: 5,000 usual lines are far below, 5,000 lines of 16 KiB would be 80 MiB.
pub(super) const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// Some lines of a log, and how large all of it was at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Number of the first of `lines`, from 1.
    pub first: u64,
    pub lines: Vec<String>,
    /// Lines in the whole log.
    pub total: u64,
    /// Bytes of the whole log.
    pub bytes: u64,
}

impl Window {
    /// Of a log that has not begun.
    pub(super) fn empty(first: u64) -> Self {
        Self { first: first.max(1), lines: Vec::new(), total: 0, bytes: 0 }
    }
}

/// Which lines stay when all together are too many bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    First,
    Last,
}

pub(super) fn from_line(log: &File, index: &LineIndex, from_line: u64, limit: u64) -> io::Result<Window> {
    read(log, index, from_line.max(1), limit, Keep::First)
}

pub(super) fn tail(log: &File, index: &LineIndex, limit: u64) -> io::Result<Window> {
    read(log, index, index.lines().saturating_sub(limit) + 1, limit, Keep::Last)
}

fn read(log: &File, index: &LineIndex, from_line: u64, limit: u64, keep: Keep) -> io::Result<Window> {
    let (offset, mut style) = index.place_of(log, from_line)?;
    let mut reader = LineReader::at(log, offset, index.size());
    let mut lines = VecDeque::new();
    let mut first = from_line;
    let mut text_bytes = 0;
    for number in (from_line..=index.lines()).take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        let text = match reader.next_line()? {
            Some(Line::Whole) => {
                let text = shown(reader.head(), style);
                style.read(reader.head());
                text
            }
            Some(Line::Long) => {
                let (next, style_there) = index.place_of(log, number + 1)?;
                let text = shown_long(log, index, reader.start()..next, style)?;
                reader = LineReader::at(log, next, index.size());
                style = style_there;
                text
            }
            None => break,
        };
        text_bytes += bytes_in_json(&text);
        if text_bytes > MAX_TEXT_BYTES && keep == Keep::First && !lines.is_empty() {
            break;
        }
        lines.push_back(text);
        while text_bytes > MAX_TEXT_BYTES && lines.len() > 1 {
            text_bytes -= lines.pop_front().map_or(0, |dropped| bytes_in_json(&dropped));
            first += 1;
        }
    }
    Ok(Window { first, lines: lines.into(), total: index.lines(), bytes: index.size() })
}

/// Without the quotes around it.
pub(super) fn bytes_in_json(text: &str) -> usize {
    let escapes = |byte: u8| match byte {
        b'"' | b'\\' | b'\t' | b'\r' | 0x08 | 0x0c => 1,
        0..=0x1f => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(escapes).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api::MAX_LINE_BYTES;
    use std::io::Write;

    fn open(text: &[u8]) -> (tempfile::TempDir, File, LineIndex) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        File::create(&path).unwrap().write_all(text).unwrap();
        let file = File::open(path).unwrap();
        let index = LineIndex::open(&file, &folder.path().join("index"), text.len() as u64).unwrap();
        (folder, file, index)
    }

    #[test]
    fn lines_after_very_long_ones_are_found() {
        let mut text = Vec::new();
        for n in 0..6 {
            text.extend_from_slice(format!("{n}").repeat(300_000 * (n % 3)).as_bytes());
            text.extend_from_slice(format!("\nshort {n}\n").as_bytes());
        }
        let (_folder, log, index) = open(&text);
        let window = from_line(&log, &index, 1, 100).unwrap();
        assert_eq!(window.total, 12);
        for (n, pair) in window.lines.chunks(2).enumerate() {
            assert_eq!(pair[0].is_empty(), n % 3 == 0);
            assert_eq!(pair[0].ends_with('…'), n % 3 != 0);
            assert!(pair[0].len() <= MAX_LINE_BYTES);
            assert_eq!(pair[1], format!("short {n}"));
        }
        assert_eq!(tail(&log, &index, 3).unwrap().lines[0], "short 4");
    }

    #[test]
    fn of_progress_bars_however_long_the_last_state_is_shown_and_numbers_stay() {
        let states =
            |count: usize| (0..count).map(|n| format!("J {n:>5} of {count} written\r")).collect::<Vec<_>>().concat();
        for count in [3, 2_000, 100_000] {
            let text = format!("before\n{}J done: CHECKSUM MISMATCH\r\nafter\n{}", states(count), states(count));
            let (_folder, log, index) = open(text.as_bytes());
            let window = from_line(&log, &index, 1, 100).unwrap();
            let last = format!("J {:>5} of {count} written", count - 1);
            assert_eq!(window.lines, ["before", "J done: CHECKSUM MISMATCH", "after", &last]);
            assert_eq!((window.total, window.bytes), (4, text.len() as u64));
        }
    }

    #[test]
    fn what_follows_the_last_carriage_return_of_a_huge_line_is_shown_from_its_beginning() {
        let text = format!("\x1b[31mstate\r{}\nnext\n", "x".repeat(3_000_000));
        let (_folder, log, index) = open(text.as_bytes());
        let lines = from_line(&log, &index, 1, 2).unwrap().lines;
        assert!(lines[0].starts_with("\x1b[31mxxx") && lines[0].ends_with("x…"));
        assert_eq!(lines[1], "\x1b[31mnext");
    }

    #[test]
    fn a_colour_is_the_same_wherever_the_window_begins() {
        let text = format!("\x1b[1;33mstart\nmiddle\n{}end\x1b[0m\nplain\n", "more\n".repeat(100_000));
        let (_folder, log, index) = open(text.as_bytes());
        let all = from_line(&log, &index, 1, u64::MAX).unwrap().lines;
        assert_eq!(all[..2], ["\x1b[1;33mstart", "\x1b[1;33mmiddle"]);
        assert_eq!(all[100_002..], ["\x1b[1;33mend\x1b[0m", "plain"]);
        for from in [2, 3, 30_000, 99_999, 100_003, 100_004] {
            let at = usize::try_from(from - 1).unwrap();
            assert_eq!(from_line(&log, &index, from, 1).unwrap().lines[0], all[at], "line {from}");
        }
        assert_eq!(tail(&log, &index, 2).unwrap().lines, all[100_002..]);
    }

    #[test]
    fn what_json_writes_longer_counts_as_long_as_it_is_written() {
        for text in ["plain ä", "\u{1}\u{1b}[m", "\"\\\t\r\u{8}\u{c}", "\u{7f}"] {
            assert_eq!(bytes_in_json(text) + 2, serde_json::to_string(text).unwrap().len(), "{text:?}");
        }
    }

    #[test]
    fn a_window_of_very_many_bytes_ends_early_on_the_side_that_is_far() {
        let text = [vec![b'x'; 10_000], b"\n".to_vec()].concat().repeat(1_000);
        let (_folder, log, index) = open(&text);
        let window = from_line(&log, &index, 11, 5_000).unwrap();
        assert_eq!((window.first, window.lines.len(), window.total), (11, MAX_TEXT_BYTES / 10_000, 1_000));
        let end = tail(&log, &index, 5_000).unwrap();
        assert_eq!((end.lines.len(), end.first + end.lines.len() as u64 - 1), (MAX_TEXT_BYTES / 10_000, 1_000));
    }
}
