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
            Some(Line::Whole) => shown(reader.head(), &mut style),
            Some(Line::Long) => {
                let (next, style_there) = index.place_of(log, number + 1)?;
                let text = shown_long(log, index, reader.start()..next, (style, style_there))?;
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
    use super::super::fold::escape_length;
    use super::super::style::Style;
    use super::*;
    use protocol::api::MAX_LINE_BYTES;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
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
        for turn in ["\r", "\x1b[2K\x1b[1G", "\x1b[G\x1b[0K", "\x1b[2K\x1b[0G"] {
            let states = |count: usize| -> String {
                (0..count).flat_map(|n| [turn.to_owned(), format!("J {n:>5} of {count} written")]).collect()
            };
            for count in [3, 2_000, 100_000] {
                let (all, last) = (states(count), format!("J {:>5} of {count} written", count - 1));
                let text = format!("before\n{all}{turn}J done: CHECKSUM MISMATCH\r\nafter\n{all}");
                let (_folder, log, index) = open(text.as_bytes());
                let window = from_line(&log, &index, 1, 100).unwrap();
                assert_eq!(window.lines, ["before", "J done: CHECKSUM MISMATCH", "after", &last], "{turn:?}");
                assert_eq!((window.total, window.bytes), (4, text.len() as u64));
            }
        }
    }

    /// What a terminal shows of a line that begins in these colours, and in which it ends.
    fn drawn(line: &str, mut style: Style) -> (Vec<(char, Style)>, Style) {
        let (mut cells, mut rest) = (Vec::new(), line);
        while let Some(at) = rest.find('\x1b') {
            cells.extend(rest[..at].chars().map(|character| (character, style)));
            let length = escape_length(&rest.as_bytes()[at..]);
            style.take(&rest.as_bytes()[at..at + length]);
            rest = &rest[at + length..];
        }
        cells.extend(rest.chars().map(|character| (character, style)));
        (cells, style)
    }

    /// Whether each line alone looks as it does after all those before it.
    fn check_that_lines_stand_alone(lines: &[String]) {
        let mut style = Style::PLAIN;
        for (number, line) in lines.iter().enumerate() {
            let (cells, end) = drawn(line, style);
            assert_eq!(cells, drawn(line, Style::PLAIN).0, "line {}: {line:?}", number + 1);
            assert!(line.len() <= MAX_LINE_BYTES, "line {}", number + 1);
            style = end;
        }
    }

    #[test]
    fn no_colour_leaks_into_the_next_line() {
        let filler = "x".repeat(20_000);
        for (text, expected) in [
            ("\x1b[33m 50%\r\x1b[32m100%\x1b[0m\nplain\n", vec!["\x1b[32m100%\x1b[0m", "plain"]),
            ("\x1b[31mred\r\x1b[4mline\x1b[24m\n\nnext\n", vec!["\x1b[4;31mline\x1b[0m", "", "\x1b[31mnext"]),
            ("\x1b[31mred\nx\r\x1b[0m\x1b[K\nplain\n", vec!["\x1b[31mred", "\x1b[0m", "plain"]),
            ("\x1b[31mred\r\n\x1b[32mgreen\r\nmore\n", vec!["\x1b[31mred", "\x1b[31m\x1b[32mgreen", "\x1b[32mmore"]),
        ] {
            let (_folder, log, index) = open(text.as_bytes());
            let lines = from_line(&log, &index, 1, 100).unwrap().lines;
            assert_eq!(lines, expected);
            check_that_lines_stand_alone(&lines);
        }
        for (text, begin, end) in [
            (format!("\x1b[31m{filler}\x1b[0m\nplain\n"), "\x1b[31mxxx", "x\x1b[0m…"),
            (format!("\x1b[31m{}\x1b[0m\nplain\n", filler.repeat(5)), "\x1b[31mxxx", "x\x1b[0m…"),
            (format!("\x1b[31m{filler}\n\x1b[0mplain\n"), "\x1b[31mxxx", "x…"),
            (format!("\x1b[31mstart\nend\x1b[0m\r{}\nplain\n", filler.repeat(5)), "", ""),
            (
                format!("\x1b[31m{}\r\x1b[32m{}\x1b[0m\nplain\n", filler.repeat(5), &filler[..MAX_LINE_BYTES - 10]),
                "\x1b[0m\x1b[32mxxx",
                "x\x1b[0m…",
            ),
        ] {
            let (_folder, log, index) = open(text.as_bytes());
            let lines = from_line(&log, &index, 1, 100).unwrap().lines;
            assert!(lines[0].starts_with(begin) && lines[0].ends_with(end), "{}", lines[0]);
            check_that_lines_stand_alone(&lines);
        }
    }

    #[test]
    fn a_line_is_never_cut_within_a_sequence() {
        let sequences = ["\x1b[1;38;2;100;100;100mx", "\x1b]8;;http://example.org/a/b\x1b\\x", "\x1b]0;title\x07x"];
        for sequence in sequences {
            for before in 0..40 {
                let text = format!("{}{}\nplain\n", "y".repeat(before), sequence.repeat(2_000));
                let (_folder, log, index) = open(text.as_bytes());
                let lines = from_line(&log, &index, 1, 100).unwrap().lines;
                let cells: String = drawn(&lines[0], Style::PLAIN).0.iter().map(|(character, _)| *character).collect();
                assert!(
                    cells.trim_start_matches('y').trim_end_matches('…').bytes().all(|byte| byte == b'x'),
                    "{cells}"
                );
                assert!(cells.ends_with('…') && lines[0].ends_with('…'));
                check_that_lines_stand_alone(&lines);
            }
        }
        let (_folder, log, index) = open(format!("\x1b]0;{}\nplain\n", "x".repeat(20_000)).as_bytes());
        assert_eq!(from_line(&log, &index, 1, 100).unwrap().lines, ["…", "plain"]);
    }

    #[test]
    fn of_random_lines_each_looks_alone_as_it_does_in_any_window() {
        const PIECES: [&str; 18] = [
            "\n",
            "\n",
            "\r\n",
            "\r",
            "\x08",
            "\t",
            "x",
            "äö",
            "\x1b[1;31m",
            "\x1b[32m",
            "\x1b[4m",
            "\x1b[0m",
            "\x1b[m",
            "\x1b[K",
            "\x1b[2K",
            "\x1b[1G",
            "\x1b[3",
            "\x1b]8;;x\x07",
        ];
        for _ in 0..40 {
            let seed = rand::random();
            println!("seed {seed}");
            let mut random = StdRng::seed_from_u64(seed);
            let text: String = (0..random.random_range(0..200))
                .map(|_| match random.random_range(0..60) {
                    0 => "y".repeat(random.random_range(16_300..16_400)),
                    1 => "state\r".repeat(random.random_range(1..20_000)),
                    2 => "z".repeat(random.random_range(60_000..70_000)),
                    _ => PIECES[random.random_range(0..PIECES.len())].to_owned(),
                })
                .collect();
            let (_folder, log, index) = open(text.as_bytes());
            let lines = from_line(&log, &index, 1, u64::MAX).unwrap().lines;
            check_that_lines_stand_alone(&lines);
            for _ in 0..5 {
                let from = random.random_range(0..=lines.len());
                let window = from_line(&log, &index, from as u64 + 1, u64::MAX).unwrap().lines;
                assert_eq!(window, lines[from..]);
            }
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
