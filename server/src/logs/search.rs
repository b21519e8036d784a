//! Search over a whole log with bounded memory and time: it reads on in large pieces and folds each once.
//! It starts at the line that was asked for and counts the part before that afterwards, so that it always gets on.

use super::fold::Needle;
use super::index::LineIndex;
use super::lines::shown;
use super::window::MAX_TEXT_BYTES;
use memchr::{memchr, memchr_iter, memrchr};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes looked through at once; a line that is longer is looked through in overlapping pieces.
const PIECE: usize = 1024 * 1024;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    pub matches: Vec<Match>,
    /// Matching lines in the whole log, or as many as were counted before time was up.
    pub total: u64,
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
    mut log: &File,
    index: &LineIndex,
    needle: &Needle,
    from_line: u64,
    limit: u64,
    is_over: impl Fn() -> bool,
) -> io::Result<Matches> {
    let from_line = from_line.max(1);
    let start = index.offset_of(log, from_line)?;
    log.seek(SeekFrom::Start(start))?;
    let mut wanted = Scan::new(needle, from_line, limit);
    if !wanted.run(log.take(index.size() - start), &is_over)? {
        wanted.found.next_from.get_or_insert(wanted.line);
        return Ok(wanted.found);
    }
    log.seek(SeekFrom::Start(0))?;
    let mut before = Scan::new(needle, 1, 0);
    before.run(log.take(start), &is_over)?;
    Ok(Matches { total: wanted.found.total + before.found.total, ..wanted.found })
}

struct Scan<'a> {
    needle: &'a Needle,
    limit: u64,
    /// Number of the line that comes next.
    line: u64,
    found: Matches,
    text_bytes: usize,
    folded: Vec<u8>,
    /// The line whose beginning has been looked through without an end in sight.
    long_line: Option<LongLine>,
}

struct LongLine {
    text: String,
    matches: bool,
}

impl<'a> Scan<'a> {
    fn new(needle: &'a Needle, line: u64, limit: u64) -> Self {
        let (found, folded) = (Matches::default(), Vec::new());
        Self { needle, limit, line, found, text_bytes: 0, folded, long_line: None }
    }

    /// Looks through all that `log` has; `false` if it was over before that.
    fn run(&mut self, mut log: impl Read, is_over: impl Fn() -> bool) -> io::Result<bool> {
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
                    self.take_rest(&buffer[..filled]);
                    return Ok(true);
                }
                Some(at) => {
                    self.take_lines(&buffer[..=at]);
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

    /// A part of one line that is not its end.
    fn take_piece(&mut self, piece: &[u8]) {
        let matches = self.contains(piece);
        let long_line = self.long_line.get_or_insert_with(|| LongLine { text: shown(piece), matches: false });
        long_line.matches |= matches;
    }

    /// What is left at the end of the log: a last line without its end.
    fn take_rest(&mut self, rest: &[u8]) {
        if !rest.is_empty() || self.long_line.is_some() {
            self.take_lines(rest);
        }
    }

    /// Lines with their ends, the first of which may be the rest of a long one.
    fn take_lines(&mut self, lines: &[u8]) {
        let Some(long_line) = self.long_line.take() else {
            return self.take_short_lines(lines);
        };
        let end = memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
        if long_line.matches || self.contains(&lines[..end]) {
            self.take_match(self.line, || long_line.text);
        }
        self.line += 1;
        self.take_short_lines(&lines[end..]);
    }

    fn take_short_lines(&mut self, lines: &[u8]) {
        let mut folded = std::mem::take(&mut self.folded);
        self.needle.fold(lines, &mut folded);
        // Folding keeps the line ends, so counting them leads from a match to the line as it was.
        let (mut at, mut unread, mut unread_line) = (0, lines, self.line);
        while let Some(hit) = self.needle.find(&folded[at..]).map(|hit| at + hit) {
            self.line += count_line_ends(&folded[at..hit]);
            let matching = self.line;
            self.take_match(matching, || {
                unread = skip_lines(unread, matching - unread_line);
                unread_line = matching;
                shown(&unread[..memchr(b'\n', unread).unwrap_or(unread.len())])
            });
            self.line += 1;
            at = memchr(b'\n', &folded[hit..]).map_or(folded.len(), |end| hit + end + 1);
        }
        self.line += count_line_ends(&folded[at..]);
        self.folded = folded;
    }

    fn contains(&mut self, text: &[u8]) -> bool {
        self.needle.fold(text, &mut self.folded);
        self.needle.find(&self.folded).is_some()
    }

    fn take_match(&mut self, line: u64, text: impl FnOnce() -> String) {
        self.found.total += 1;
        if self.found.next_from.is_some() {
            return;
        }
        if self.found.matches.len() as u64 >= self.limit || self.text_bytes > MAX_TEXT_BYTES {
            self.found.next_from = Some(line);
            return;
        }
        let text = text();
        self.text_bytes += text.len();
        self.found.matches.push(Match { line, text });
    }
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
    use super::*;

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
        assert_eq!(fixture.search("hit", 5_000, 7), Matches { matches: vec![], total: 100, next_from: None });
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
            assert_eq!(fixture.search("needle", 1, 1).matches[0].text, shown(&vec![b'x'; PIECE]));
        }
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
        let asked = std::cell::Cell::new(0);
        let is_over = || asked.replace(asked.get() + 1) >= 2;
        let needle = Needle::new("hit").unwrap();
        let found = search(&fixture.log, &fixture.index, &needle, 1_001, u64::MAX, is_over).unwrap();
        let looked_at = PIECE as u64 / 4 * 2;
        assert_eq!((found.total, found.next_from), (looked_at, Some(1_001 + looked_at)));
    }
}
