//! Where the lines of a log are, and in which colours: line ends and style at the end of each whole block of the file.
//! Kept in a sidecar file that only saves time: whatever of it is missing or damaged is counted anew from the log.

use super::style::{MAX_SEQUENCE, Style, begun_sequence};
use memchr::{memchr_iter, memrchr};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes per counted block: small enough to look through for one line, and 1 GB of log makes an index of 192 KiB.
const BLOCK: u64 = 128 * 1024;
/// A count, a style, and a seal over both, 8 bytes each, little-endian: a torn or zeroed entry shows.
const ENTRY: usize = 24;
/// Whatever it is, as long as zeroes and other versions' entries do not fit it.
const SEAL: u64 = 0x5a17_c0de_10c5_0003;

/// What stands before the end of a whole block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    line_ends: u64,
    /// Of a colour sequence that the block's end cuts, not even its beginning counts.
    style: Style,
}

/// The index of a log as it was when it had `size` bytes.
#[derive(Debug)]
pub(super) struct LineIndex {
    /// Of each whole block.
    marks: Vec<Mark>,
    size: u64,
    lines: u64,
}

impl LineIndex {
    /// Reads the sidecar and brings it up to date with the log.
    pub(super) fn open(log: &File, sidecar: &Path, size: u64) -> io::Result<Self> {
        let whole_blocks = usize::try_from(size / BLOCK).map_err(io::Error::other)?;
        let mut marks = read_valid(sidecar, whole_blocks);
        let known = marks.len();
        let lines = count_rest(log, &mut marks, size)?;
        if marks.len() > known
            && let Err(error) = write_new(sidecar, &marks, known)
        {
            tracing::debug!(path = %sidecar.display(), %error, "line index not kept, it will be counted again");
        }
        Ok(Self { marks, size, lines })
    }

    /// Whether an index has more to keep now that a log has grown.
    pub(super) fn gains(old_size: u64, new_size: u64) -> bool {
        old_size / BLOCK < new_size / BLOCK
    }

    /// Bytes of the log when it was indexed.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Lines of the log, with a last one that has no line end yet.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Where line `line` (from 1) begins, and in which style; the log's end when it has no such line.
    pub(super) fn place_of(&self, log: &File, line: u64) -> io::Result<(u64, Style)> {
        let offset = self.offset_of(log, line)?;
        Ok((offset, self.style_at(log, offset)?))
    }

    /// Where line `line` (from 1) begins; the log's end when it has no such line.
    pub(super) fn offset_of(&self, log: &File, line: u64) -> io::Result<u64> {
        if line <= 1 || line > self.lines {
            return Ok(if line <= 1 { 0 } else { self.size });
        }
        let line_end = line - 1;
        let block = self.marks.partition_point(|mark| mark.line_ends < line_end);
        let start = block as u64 * BLOCK;
        let mut bytes = vec![0; to_usize((self.size - start).min(BLOCK))?];
        log.read_exact_at(&mut bytes, start)?;
        let nth = to_usize(line_end - self.mark_before(block).line_ends - 1)?;
        match memchr_iter(b'\n', &bytes).nth(nth) {
            Some(at) => Ok(start + at as u64 + 1),
            None => Err(io::Error::new(ErrorKind::InvalidData, "the log is shorter than its index says")),
        }
    }

    /// The style of what is printed at this offset, as all before it has set it.
    pub(super) fn style_at(&self, log: &File, offset: u64) -> io::Result<Style> {
        let block = offset / BLOCK;
        let mut bytes = begun_before(log, block * BLOCK)?;
        let begun = bytes.len();
        bytes.resize(begun + to_usize(offset - block * BLOCK)?, 0);
        log.read_exact_at(&mut bytes[begun..], block * BLOCK)?;
        let mut style = self.mark_before(to_usize(block)?).style;
        style.read(&bytes);
        Ok(style)
    }

    fn mark_before(&self, block: usize) -> Mark {
        block.checked_sub(1).map_or(Mark::default(), |previous| self.marks[previous])
    }
}

fn to_usize(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}

/// The beginning of a colour sequence that stands before `offset` and ends behind it.
fn begun_before(log: &File, offset: u64) -> io::Result<Vec<u8>> {
    let length = offset.min(MAX_SEQUENCE as u64);
    let mut before = vec![0; to_usize(length)?];
    log.read_exact_at(&mut before, offset - length)?;
    Ok(before.split_off(before.len() - begun_sequence(&before)))
}

/// The sidecar's entries up to the first that can't be right.
fn read_valid(sidecar: &Path, whole_blocks: usize) -> Vec<Mark> {
    let bytes = std::fs::read(sidecar).unwrap_or_default();
    let mut marks = Vec::<Mark>::with_capacity(whole_blocks);
    for entry in bytes.chunks_exact(ENTRY).take(whole_blocks) {
        let previous = marks.last().map_or(0, |mark| mark.line_ends);
        match read_entry(entry) {
            Some(mark) if (previous..=previous + BLOCK).contains(&mark.line_ends) => marks.push(mark),
            _ => break,
        }
    }
    marks
}

fn seal(line_ends: u64, style: u64) -> u64 {
    !(line_ends ^ style.rotate_left(17)) ^ SEAL
}

fn read_entry(entry: &[u8]) -> Option<Mark> {
    let mut numbers = entry.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok().map(u64::from_le_bytes));
    let (line_ends, style) = (numbers.next()?, numbers.next()?);
    (numbers.next()? == seal(line_ends, style)).then(|| Mark { line_ends, style: Style::unpack(style) })
}

/// Written at their places, not appended: two who index the same log at once then write the same.
fn write_new(sidecar: &Path, marks: &[Mark], known: usize) -> io::Result<()> {
    let mut entries = Vec::with_capacity((marks.len() - known) * ENTRY);
    for mark in &marks[known..] {
        let style = mark.style.pack();
        for number in [mark.line_ends, style, seal(mark.line_ends, style)] {
            entries.extend_from_slice(&number.to_le_bytes());
        }
    }
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(sidecar)?;
    file.write_all_at(&entries, (known * ENTRY) as u64)
}

/// Reads what `marks` do not cover and adds its whole blocks; returns the lines of the whole log.
fn count_rest(log: &File, marks: &mut Vec<Mark>, size: u64) -> io::Result<u64> {
    let mut at = marks.len() as u64 * BLOCK;
    let mut mark = marks.last().copied().unwrap_or_default();
    let mut ends_open = size > 0;
    // A whole last block may end with or without a line end; one byte back tells.
    if at > 0 {
        let mut last = [0];
        log.read_exact_at(&mut last, at - 1)?;
        ends_open = last != *b"\n";
    }
    let mut bytes = begun_before(log, at)?;
    while at < size {
        let wanted = (size - at).min(BLOCK);
        let begun = bytes.len();
        bytes.resize(begun + to_usize(wanted)?, 0);
        log.read_exact_at(&mut bytes[begun..], at).map_err(became_shorter)?;
        let block = &bytes[begun..];
        mark.line_ends += memchr_iter(b'\n', block).count() as u64;
        ends_open = memrchr(b'\n', block) != Some(block.len() - 1);
        mark.style.read(&bytes);
        at += wanted;
        if wanted == BLOCK {
            marks.push(mark);
        }
        bytes.drain(..bytes.len() - begun_sequence(&bytes));
    }
    Ok(mark.line_ends + u64::from(ends_open))
}

fn became_shorter(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the log became shorter while it was read"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    struct Fixture {
        folder: TempDir,
        text: Vec<u8>,
    }

    impl Fixture {
        fn new(text: Vec<u8>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("log"), &text).unwrap();
            Self { folder, text }
        }

        fn index(&self) -> LineIndex {
            LineIndex::open(&self.log(), &self.folder.path().join("index"), self.text.len() as u64).unwrap()
        }

        fn log(&self) -> File {
            File::open(self.folder.path().join("log")).unwrap()
        }

        fn sidecar(&self) -> Vec<u8> {
            std::fs::read(self.folder.path().join("index")).unwrap_or_default()
        }

        /// Compares with what splitting the whole text says.
        fn check(&self) {
            let (index, log) = (self.index(), self.log());
            let starts = line_starts(&self.text);
            assert_eq!(index.lines(), starts.len() as u64);
            let step = (starts.len() / 40).max(1);
            for (nth, start) in starts.iter().enumerate().step_by(step) {
                let mut style = Style::PLAIN;
                style.read(&self.text[..usize::try_from(*start).unwrap()]);
                assert_eq!(index.place_of(&log, nth as u64 + 1).unwrap(), (*start, style), "line {}", nth + 1);
            }
        }
    }

    fn line_starts(text: &[u8]) -> Vec<u64> {
        let ends = memchr_iter(b'\n', text).map(|at| at as u64 + 1);
        std::iter::once(0).chain(ends).filter(|start| *start < text.len() as u64).collect()
    }

    fn numbered_lines(count: usize) -> Vec<u8> {
        (0..count).flat_map(|n| format!("line {n} {}\n", "x".repeat(n % 97)).into_bytes()).collect()
    }

    #[test]
    fn every_line_is_found_whatever_the_blocks() {
        let block = usize::try_from(BLOCK).unwrap();
        let mut no_last_line_end = numbered_lines(9_000);
        no_last_line_end.extend_from_slice(b"open");
        for text in [
            Vec::new(),
            b"\n".to_vec(),
            b"one".to_vec(),
            vec![b'\n'; block],
            vec![b'\n'; block + 1],
            vec![b'x'; 3 * block],
            [vec![b'x'; block - 1], b"\n".to_vec()].concat(),
            [vec![b'x'; block], b"\ny".to_vec()].concat(),
            numbered_lines(9_000),
            no_last_line_end,
        ] {
            let fixture = Fixture::new(text);
            fixture.check();
            // The second time the sidecar is there.
            fixture.check();
        }
    }

    #[test]
    fn a_colour_goes_on_over_lines_and_blocks_wherever_these_cut_it() {
        let block = usize::try_from(BLOCK).unwrap();
        for cut in 0..8 {
            let mut text = vec![b'.'; block - cut];
            text.extend_from_slice(b"\x1b[1;35m\nmiddle\n");
            text.extend_from_slice(&numbered_lines(5_000));
            text.extend_from_slice(b"\x1b[0mplain\nplain\n");
            let fixture = Fixture::new(text);
            fixture.check();
            fixture.check();
        }
        let coloured = (0..20_000).flat_map(|n| format!("\x1b[3{}mx{n}\n", n % 8).into_bytes()).collect();
        Fixture::new(coloured).check();
    }

    #[test]
    fn a_growing_log_extends_the_index_it_has() {
        let whole = numbered_lines(12_000);
        let mut fixture = Fixture::new(Vec::new());
        for end in [0, 10, 130_000, 131_072, 262_143, 262_144, 400_000, whole.len()] {
            fixture.text = whole[..end].to_vec();
            std::fs::write(fixture.folder.path().join("log"), &fixture.text).unwrap();
            let before = fixture.sidecar();
            fixture.check();
            assert!(fixture.sidecar().starts_with(&before));
        }
    }

    #[test]
    fn a_damaged_or_missing_index_is_mended() {
        let fixture = Fixture::new(numbered_lines(12_000));
        fixture.check();
        let right = fixture.sidecar();
        let damage: [fn(&mut Vec<u8>); 5] = [
            |index| index.truncate(ENTRY + 5),
            |index| index[ENTRY..2 * ENTRY].fill(0),
            |index| index[3] ^= 1,
            |index| index.extend_from_slice(&[7; 40]),
            Vec::clear,
        ];
        for harm in damage {
            let mut bytes = right.clone();
            harm(&mut bytes);
            std::fs::write(fixture.folder.path().join("index"), &bytes).unwrap();
            fixture.check();
            assert!(fixture.sidecar().starts_with(&right));
        }
    }

    #[test]
    fn an_index_that_is_ahead_of_its_log_does_no_harm() {
        let mut fixture = Fixture::new(numbered_lines(12_000));
        fixture.check();
        fixture.text.truncate(150_000);
        std::fs::write(fixture.folder.path().join("log"), &fixture.text).unwrap();
        fixture.check();
    }
}
