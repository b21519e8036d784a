//! A few lines of a log, from anywhere in it, at the cost of these lines and no more.

use super::index::LineIndex;
use super::lines::{Line, LineReader};
use std::collections::VecDeque;
use std::fs::File;
use std::io;

/// Most bytes of text in one answer: 5,000 usual lines are far below, 5,000 lines of 16 KiB would be 80 MiB.
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
    let mut reader = LineReader::at(log, index.offset_of(log, from_line)?, index.size())?;
    let mut lines = VecDeque::new();
    let mut first = from_line;
    let mut text_bytes = 0;
    for number in (from_line..=index.lines()).take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        let text = match reader.next_line()? {
            Some(Line::Whole(text)) => text,
            Some(Line::Cut(text)) => {
                reader = LineReader::at(log, index.offset_of(log, number + 1)?, index.size())?;
                text
            }
            None => break,
        };
        text_bytes += text.len();
        if text_bytes > MAX_TEXT_BYTES && keep == Keep::First && !lines.is_empty() {
            break;
        }
        lines.push_back(text);
        while text_bytes > MAX_TEXT_BYTES && lines.len() > 1 {
            text_bytes -= lines.pop_front().map_or(0, |dropped| dropped.len());
            first += 1;
        }
    }
    Ok(Window { first, lines: lines.into(), total: index.lines(), bytes: index.size() })
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
    fn a_window_of_very_many_bytes_ends_early_on_the_side_that_is_far() {
        let text = [vec![b'x'; 10_000], b"\n".to_vec()].concat().repeat(1_000);
        let (_folder, log, index) = open(&text);
        let window = from_line(&log, &index, 11, 5_000).unwrap();
        assert_eq!((window.first, window.lines.len(), window.total), (11, MAX_TEXT_BYTES / 10_000, 1_000));
        let end = tail(&log, &index, 5_000).unwrap();
        assert_eq!((end.lines.len(), end.first + end.lines.len() as u64 - 1), (MAX_TEXT_BYTES / 10_000, 1_000));
    }
}
