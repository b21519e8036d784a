//! Search over a whole log with bounded memory and time: it reads on in large pieces and folds each once.
//! It starts at the line that was asked for and counts the part before that afterwards, so that it always gets on.

use super::fold::Needle;
use super::index::LineIndex;
use super::lines::{Stretch, shown, shown_long};
use super::screen::{Seen, play, seen, without_line_end};
use super::style::Style;
use super::turns::{BACKSPACE, last_restart, turns_back, written_anew};
use super::window::{MAX_TEXT_BYTES, bytes_in_json};
use memchr::{memchr, memchr_iter, memchr2_iter, memrchr};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};

/// Bytes looked through at once; a line that is longer is looked through in overlapping pieces.
const PIECE: usize = 1024 * 1024;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    pub matches: Vec<Match>,
    /// Matching lines in the whole log, or as many as were counted before time was up.
    pub total: u64,
    /// Time was up before all were counted.
    pub total_is_partial: bool,
    /// The line to ask from for more; `None` when there are no more.
    pub next_from: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// From 1.
    pub line: u64,
    /// The line as a window shows it.
    pub text: String,
}

/// `is_over` is asked before every piece and ends the search.
pub(super) fn search(
    log: &File,
    index: &LineIndex,
    needle: &Needle,
    from_line: u64,
    limit: u64,
    is_over: impl Fn() -> bool,
) -> io::Result<Matches> {
    let from_line = from_line.max(1);
    let start = index.offset_of(log, from_line)?;
    let mut wanted = Scan::new(log, index, needle, Place { line: from_line, offset: start }, limit);
    if !wanted.run(index.size(), &is_over)? {
        wanted.found.next_from.get_or_insert(wanted.place.line);
        return Ok(Matches { total_is_partial: true, ..wanted.found });
    }
    let mut before = Scan::new(log, index, needle, Place { line: 1, offset: 0 }, 0);
    let total_is_partial = !before.run(start, &is_over)?;
    Ok(Matches { total: wanted.found.total + before.found.total, total_is_partial, ..wanted.found })
}

/// A line's number and where it begins.
#[derive(Clone, Copy)]
struct Place {
    line: u64,
    offset: u64,
}

struct Scan<'a> {
    log: &'a File,
    index: &'a LineIndex,
    needle: &'a Needle,
    limit: u64,
    /// What comes next, or is being looked through.
    place: Place,
    found: Matches,
    text_bytes: usize,
    folded: Vec<u8>,
    /// Of a line whose beginning has been looked through without an end in sight: whether it matches, as far as known.
    long_line: Option<bool>,
}

impl<'a> Scan<'a> {
    fn new(log: &'a File, index: &'a LineIndex, needle: &'a Needle, place: Place, limit: u64) -> Self {
        let (found, folded) = (Matches::default(), Vec::new());
        Self { log, index, needle, limit, place, found, text_bytes: 0, folded, long_line: None }
    }

    /// Looks through the log as far as `end`; `false` if it was over before that.
    fn run(&mut self, end: u64, is_over: impl Fn() -> bool) -> io::Result<bool> {
        let mut log = Stretch::new(self.log, self.place.offset..end);
        let mut buffer = vec![0; PIECE];
        let mut filled = 0;
        loop {
            if is_over() {
                return Ok(false);
            }
            let read = log.read(&mut buffer[filled..])?;
            filled += read;
            let used = match memrchr(b'\n', &buffer[..filled]) {
                _ if read == 0 => {
                    self.take_rest(&buffer[..filled], end)?;
                    return Ok(true);
                }
                Some(at) => {
                    self.take_lines(&buffer[..=at], end)?;
                    at + 1
                }
                None if filled == buffer.len() => {
                    self.take_piece(&buffer);
                    filled - self.overlap()
                }
                None => 0,
            };
            buffer.copy_within(used..filled, 0);
            filled -= used;
        }
    }

    /// Original bytes that may hold the beginning of a match which the next piece ends: lower-casing shortens a
    /// character to a third at most, and some room is for colours.
    fn overlap(&self) -> usize {
        (self.needle.len() * 4 + 1024).min(PIECE / 2)
    }

    /// A part of one line that may not be its end.
    fn take_piece(&mut self, piece: &[u8]) {
        let piece = without_line_end(piece);
        let restart = last_restart(piece);
        // What stood before has been overwritten.
        let has_matched = restart.is_none() && self.long_line == Some(true);
        let matches = self.contains(&piece[restart.unwrap_or(0)..]);
        self.long_line = Some(has_matched || matches);
    }

    /// What is left at the end of the log: a last line without its end.
    fn take_rest(&mut self, rest: &[u8], end: u64) -> io::Result<()> {
        if rest.is_empty() && self.long_line.is_none() { Ok(()) } else { self.take_lines(rest, end) }
    }

    /// Lines with their ends, the first of which may be the rest of a long one.
    fn take_lines(&mut self, lines: &[u8], end: u64) -> io::Result<()> {
        if self.long_line.is_none() {
            return self.take_short_lines(lines);
        }
        let rest = memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
        self.take_piece(&lines[..rest]);
        let matches = self.long_line.take() == Some(true);
        let next = self.index.offset_of(self.log, self.place.line + 1)?.min(end);
        let range = self.place.offset..next;
        let (log, index, at) = (self.log, self.index, self.place);
        let text = || {
            let styles = (index.style_at(log, at.offset)?, index.style_at(log, next)?);
            shown_long(log, index, range.clone(), styles)
        };
        // Of short states more may be seen than what follows the last one.
        if matches || self.contains(text()?.as_bytes()) {
            self.take_match(at.line, text)?;
        }
        self.place = Place { line: at.line + 1, offset: next };
        self.take_short_lines(&lines[rest..])
    }

    fn take_short_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut folded = std::mem::take(&mut self.folded);
        if !self.needle.fold_unless(&as_seen(lines), &mut folded, turns_back) {
            self.needle.fold(&played(lines), &mut folded);
        }
        // Folding keeps the line ends, so counting them leads from a match to the line as it was.
        let (log, index, begin) = (self.log, self.index, self.place);
        let (mut at, mut unread, mut unread_line, mut style) = (0, lines, begin.line, None);
        while let Some(hit) = self.needle.find(&folded[at..]).map(|hit| at + hit) {
            self.place.line += count_line_ends(&folded[at..hit]);
            let matching = self.place.line;
            self.take_match(matching, || {
                let mut here = match style {
                    Some(style) => style,
                    None => index.style_at(log, begin.offset)?,
                };
                let line = skip_lines(unread, matching - unread_line);
                here.read(&unread[..unread.len() - line.len()]);
                (unread, unread_line, style) = (line, matching, Some(here));
                Ok(shown(&line[..memchr(b'\n', line).unwrap_or(line.len())], &mut here))
            })?;
            self.place.line += 1;
            at = memchr(b'\n', &folded[hit..]).map_or(folded.len(), |end| hit + end + 1);
        }
        self.place.line += count_line_ends(&folded[at..]);
        self.place.offset += lines.len() as u64;
        self.folded = folded;
        Ok(())
    }

    fn contains(&mut self, text: &[u8]) -> bool {
        self.needle.fold(text, &mut self.folded);
        self.needle.find(&self.folded).is_some()
    }

    fn take_match(&mut self, line: u64, text: impl FnOnce() -> io::Result<String>) -> io::Result<()> {
        self.found.total += 1;
        if self.found.next_from.is_some() {
            return Ok(());
        }
        if self.found.matches.len() as u64 >= self.limit || self.text_bytes > MAX_TEXT_BYTES {
            self.found.next_from = Some(line);
            return Ok(());
        }
        let text = text()?;
        self.text_bytes += bytes_in_json(&text);
        self.found.matches.push(Match { line, text });
        Ok(())
    }
}

/// Lines of which each is what a window shows of it, line ends and all: nobody finds what has been overwritten.
/// Sequences that turn back are left to whoever looks at each sequence anyway.
fn as_seen(lines: &[u8]) -> Cow<'_, [u8]> {
    // Of several returns the last one tells what follows them.
    let moves_back = |at: usize| lines[at] != b'\r' || !matches!(lines.get(at + 1), None | Some(b'\r' | b'\n'));
    let is_played = memchr2_iter(b'\r', BACKSPACE, lines).any(moves_back);
    if is_played { Cow::Owned(played(lines)) } else { Cow::Borrowed(lines) }
}

fn played(lines: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.len());
    let mut rest = lines;
    while !rest.is_empty() {
        let (line, others) = rest.split_at(memchr(b'\n', rest).map_or(rest.len(), |at| at + 1));
        rest = others;
        let content = without_line_end(line);
        match seen(content) {
            Seen::AsItIs(from) => text.extend_from_slice(&content[from..]),
            Seen::Played(from) => match written_anew(&content[from..]) {
                Some(seen) => text.extend_from_slice(seen),
                None => text.extend_from_slice(play(&content[from..], Style::PLAIN).as_bytes()),
            },
        }
        if line.ends_with(b"\n") {
            text.push(b'\n');
        }
    }
    text
}

fn count_line_ends(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

fn skip_lines(bytes: &[u8], lines: u64) -> &[u8] {
    let Some(nth) = usize::try_from(lines).ok().and_then(|lines| lines.checked_sub(1)) else {
        return bytes;
    };
    memchr_iter(b'\n', bytes).nth(nth).map_or(&[], |at| &bytes[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::super::fold::without_escapes;
    use super::super::window::from_line;
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    struct Fixture {
        _folder: tempfile::TempDir,
        log: File,
        index: LineIndex,
    }

    fn fixture(text: &[u8]) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log"), text).unwrap();
        let log = File::open(folder.path().join("log")).unwrap();
        let index = LineIndex::open(&log, &folder.path().join("index"), text.len() as u64).unwrap();
        Fixture { _folder: folder, log, index }
    }

    impl Fixture {
        fn search(&self, query: &str, from: u64, limit: u64) -> Matches {
            search(&self.log, &self.index, &Needle::new(query).unwrap(), from, limit, || false).unwrap()
        }

        fn lines(&self, query: &str) -> Vec<u64> {
            let found = self.search(query, 1, u64::MAX);
            assert_eq!(found.total, found.matches.len() as u64);
            found.matches.iter().map(|found| found.line).collect()
        }
    }

    #[test]
    fn each_matching_line_counts_once_and_is_returned_as_it_is() {
        let fixture = fixture("a Foo foo\n\nbar\n\x1b[1mFO\x1b[0mO ünd\r\nlast foo".as_bytes());
        let found = fixture.search("foo", 1, 10);
        let texts: Vec<_> = found.matches.iter().map(|found| (found.line, found.text.as_str())).collect();
        assert_eq!(texts, [(1, "a Foo foo"), (4, "\x1b[1mFO\x1b[0mO ünd"), (5, "last foo")]);
        assert_eq!((found.total, found.next_from), (3, None));
        assert_eq!(fixture.lines("ÜND"), [4]);
        assert_eq!(fixture.lines("nowhere"), [0; 0]);
    }

    #[test]
    fn pages_follow_each_other_and_the_total_stays() {
        let text: Vec<u8> =
            (1..=1_000).flat_map(|n| format!("{}\n", if n % 10 == 0 { "hit" } else { "-" }).into_bytes()).collect();
        let fixture = fixture(&text);
        let (mut from, mut seen) = (Some(1), Vec::new());
        while let Some(start) = from {
            let page = fixture.search("HIT", start, 7);
            assert_eq!(page.total, 100);
            seen.extend(page.matches.iter().map(|found| found.line));
            from = page.next_from;
        }
        assert_eq!(seen, (1..=100).map(|n| n * 10).collect::<Vec<_>>());
        assert_eq!(fixture.search("hit", 991, 7).matches[0].line, 1_000);
        assert_eq!(fixture.search("hit", 5_000, 7), Matches { total: 100, ..Matches::default() });
    }

    #[test]
    fn matches_are_found_wherever_pieces_meet() {
        for gap in [PIECE - 4, PIECE - 3, PIECE - 1, PIECE, 2 * PIECE - 2, 3 * PIECE] {
            // Within one long line, and in the line after it.
            let text =
                ["first\n".as_bytes(), &vec![b'x'; gap], b"needle", &vec![b'y'; PIECE + 5], b"\nNeedle 3\n"].concat();
            let fixture = fixture(&text);
            assert_eq!(fixture.lines("needle"), [2, 3], "gap {gap}");
            assert_eq!(fixture.lines("y\u{fffd}"), [0; 0]);
            assert_eq!(
                fixture.search("needle", 1, 1).matches[0].text,
                shown(&vec![b'x'; PIECE], &mut Style::default())
            );
        }
    }

    #[test]
    fn what_was_overwritten_is_not_found_and_what_is_seen_is_returned() {
        for turn in ["\r", "\x1b[2K\x1b[1G", "\x1b[G\x1b[0K", "\x1b[2K\x1b[0G"] {
            for count in [3, 2_000, 100_000] {
                let states =
                    (0..count).map(|n| format!("J {n:>5} of {count} written{turn}")).collect::<Vec<_>>().concat();
                let text = format!("first\n{states}J done: CHECKSUM MISMATCH\nJ 1 of it\r\n");
                let fixture = fixture(text.as_bytes());
                let found = fixture.search("checksum", 1, 10);
                assert_eq!(found.matches, [Match { line: 2, text: "J done: CHECKSUM MISMATCH".to_owned() }], "{count}");
                assert_eq!(fixture.lines(" of "), [3], "{turn:?} {count}");
                assert_eq!(fixture.lines("j"), [2, 3], "{turn:?} {count}");
            }
        }
        let kept = fixture(format!("{}\r\n\x08x\x08\n", "needle".repeat(300_000)).as_bytes());
        assert_eq!(kept.lines("needle"), [1]);
        assert_eq!(kept.lines("x"), [2]);
    }

    #[test]
    fn the_text_of_a_match_is_what_a_window_shows() {
        let text: String = (0..60_000)
            .map(|n| match n % 9 {
                0 => format!("\x1b[3{}mhit {n}\n", n % 7),
                1 => "hit 10%\rhit 20%\r\n".to_owned(),
                2 => "hit\x1b[0m\n".to_owned(),
                3 => "\x1b[33mhit 1\r\x1b[36mhit 2\x1b[0m\n".to_owned(),
                4 => "hit 1\x1b[2K\x1b[1G\x1b[4mhit 2\x1b[24m\n".to_owned(),
                _ => "hit or miss\r\n".to_owned(),
            })
            .collect();
        let fixture = fixture(text.as_bytes());
        let found = fixture.search("HIT", 1, u64::MAX);
        let window = from_line(&fixture.log, &fixture.index, 1, 60_000).unwrap().lines;
        assert!(found.matches.iter().map(|found| &found.text).eq(window.iter()));
    }

    #[test]
    fn a_long_last_line_without_end_is_searched_too() {
        let fixture = fixture(&[vec![b'x'; 3 * PIECE], b"end".to_vec()].concat());
        assert_eq!(fixture.lines("xend"), [1]);
        assert_eq!(fixture.lines("xyz"), [0; 0]);
    }

    #[test]
    fn line_numbers_agree_with_a_plain_count_over_many_pieces() {
        let text: Vec<u8> =
            (1..=150_000).flat_map(|n| format!("\x1b[3{}mline {n}\x1b[0m äöü\n", n % 8).into_bytes()).collect();
        let fixture = fixture(&text);
        let expected: Vec<u64> = (1..=150_000u64).filter(|n| n.to_string().contains("777")).collect();
        assert_eq!(fixture.lines("777"), expected);
        let found = fixture.search("77777 ÄÖÜ", 70_000, 10);
        assert_eq!(found.matches[0].text, "\x1b[31mline 77777\x1b[0m äöü");
    }

    #[test]
    fn when_time_is_up_the_answer_says_where_to_go_on() {
        let text = "hit\n".repeat(PIECE);
        let fixture = fixture(text.as_bytes());
        let needle = Needle::new("hit").unwrap();
        let search_from = |line: u64, pieces: usize| {
            let asked = std::cell::Cell::new(0);
            let is_over = || asked.replace(asked.get() + 1) >= pieces;
            search(&fixture.log, &fixture.index, &needle, line, u64::MAX, is_over).unwrap()
        };
        let (found, looked_at) = (search_from(1_001, 2), PIECE as u64 / 4 * 2);
        assert_eq!((found.total, found.next_from), (looked_at, Some(1_001 + looked_at)));
        assert!(found.total_is_partial);
        // All that was asked for, with a total that lacks what stands before it.
        let last = PIECE as u64;
        let found = search_from(last, 3);
        assert_eq!((found.matches.len(), found.next_from, found.total_is_partial), (1, None, true));
        assert!(found.total > 1 && found.total < last, "{}", found.total);
        let found = search_from(last, usize::MAX);
        assert_eq!((found.total, found.total_is_partial), (last, false));
    }

    #[test]
    fn a_cursor_that_jumps_costs_no_more_than_lines_that_are_written() {
        let jumps = b"\x08\x1b[16384Gx\n".repeat(1_000);
        assert!(as_seen(&jumps).len() < 64 * jumps.len());
        let restored = b"\x1b[16384G\x1b7\x1b[1Gx\x1b8x\n".repeat(1_000);
        assert!(played(&restored).len() < 64 * restored.len());
        let fillings = [b"x\x1b[16384Gx".as_slice(), &b"\x1b[1K".repeat(10_000), b"\x1b[2K\x08\n"].concat();
        assert_eq!(as_seen(&fillings).as_ref(), b"\n");
    }

    #[test]
    fn returns_at_the_end_of_a_line_move_nothing_back() {
        let plain = [b"x".as_slice(), &b"\r".repeat(100_000), b"\n"].concat();
        assert!(matches!(as_seen(&plain), Cow::Borrowed(_)));
        assert_eq!(as_seen(b"10%\r\r20%\r\n").as_ref(), b"20%\n");
    }

    #[test]
    fn what_is_searched_is_what_playing_a_line_shows() {
        const PIECES: [&str; 20] = [
            "a", "G", "ä", " ", "\r", "\r", "\x1b[2K", "\x1b[1G", "\x1b[G", "\x1b[4G", "\x1b[K", "\x1b[1K", "\x1b[32m",
            "\x1b[m", "\x08", "\t", "\x1b[D", "\x1b[C", "\x1b7", "\x1b8",
        ];
        let seed = rand::random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..20_000 {
            let line: String =
                (0..random.random_range(1..12)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect();
            let shown = without_escapes(&shown(line.as_bytes(), &mut Style::default()));
            assert_eq!(
                without_escapes(&String::from_utf8_lossy(&played((line.clone() + "\n").as_bytes()))),
                shown + "\n",
                "{line:?}"
            );
        }
    }
}
