//! Where the lines of a log are: how many line ends stand before the end of each whole block of the file.
//! Kept in a sidecar file that only saves time: whatever of it is missing or damaged is counted anew from the log.

use memchr::{memchr_iter, memrchr};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes per counted block: small enough to look through for one line, and 1 GB of log makes an index of 128 KiB.
const BLOCK: u64 = 128 * 1024;
/// A count and its complement, 8 bytes each, little-endian: a torn or zeroed entry shows.
const ENTRY: usize = 16;

/// The index of a log as it was when it had `size` bytes.
#[derive(Debug)]
pub(super) struct LineIndex {
    /// Line ends before the end of each whole block.
    counts: Vec<u64>,
    size: u64,
    lines: u64,
}

impl LineIndex {
    /// Reads the sidecar and brings it up to date with the log.
    pub(super) fn open(log: &File, sidecar: &Path, size: u64) -> io::Result<Self> {
        let whole_blocks = usize::try_from(size / BLOCK).map_err(io::Error::other)?;
        let mut counts = read_valid(sidecar, whole_blocks);
        let known = counts.len();
        let lines = count_rest(log, &mut counts, size)?;
        if counts.len() > known
            && let Err(error) = write_new(sidecar, &counts, known)
        {
            tracing::debug!(path = %sidecar.display(), %error, "line index not kept, it will be counted again");
        }
        Ok(Self { counts, size, lines })
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

    /// Where line `line` (from 1) begins; the log's end when it has no such line.
    pub(super) fn offset_of(&self, mut log: &File, line: u64) -> io::Result<u64> {
        if line <= 1 || line > self.lines {
            return Ok(if line <= 1 { 0 } else { self.size });
        }
        let line_end = line - 1;
        let block = self.counts.partition_point(|count| *count < line_end);
        let before = block.checked_sub(1).map_or(0, |previous| self.counts[previous]);
        let start = block as u64 * BLOCK;
        log.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        log.take((self.size - start).min(BLOCK)).read_to_end(&mut bytes)?;
        let nth = usize::try_from(line_end - before - 1).map_err(io::Error::other)?;
        match memchr_iter(b'\n', &bytes).nth(nth) {
            Some(at) => Ok(start + at as u64 + 1),
            None => Err(io::Error::new(ErrorKind::InvalidData, "the log is shorter than its index says")),
        }
    }
}

/// The sidecar's entries up to the first that can't be right.
fn read_valid(sidecar: &Path, whole_blocks: usize) -> Vec<u64> {
    let bytes = std::fs::read(sidecar).unwrap_or_default();
    let mut counts = Vec::with_capacity(whole_blocks);
    for entry in bytes.chunks_exact(ENTRY).take(whole_blocks) {
        let previous = counts.last().copied().unwrap_or(0);
        match read_entry(entry) {
            Some(count) if (previous..=previous + BLOCK).contains(&count) => counts.push(count),
            _ => break,
        }
    }
    counts
}

fn read_entry(entry: &[u8]) -> Option<u64> {
    let (count, complement) = entry.split_at(ENTRY / 2);
    let count = u64::from_le_bytes(count.try_into().ok()?);
    (u64::from_le_bytes(complement.try_into().ok()?) == !count).then_some(count)
}

/// Written at their places, not appended: two who index the same log at once then write the same.
fn write_new(sidecar: &Path, counts: &[u64], known: usize) -> io::Result<()> {
    let mut entries = Vec::with_capacity((counts.len() - known) * ENTRY);
    for count in &counts[known..] {
        entries.extend_from_slice(&count.to_le_bytes());
        entries.extend_from_slice(&(!count).to_le_bytes());
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(sidecar)?;
    file.seek(SeekFrom::Start((known * ENTRY) as u64))?;
    file.write_all(&entries)
}

/// Counts what `counts` does not cover and adds its whole blocks; returns the lines of the whole log.
fn count_rest(mut log: &File, counts: &mut Vec<u64>, size: u64) -> io::Result<u64> {
    let mut at = counts.len() as u64 * BLOCK;
    let mut line_ends = counts.last().copied().unwrap_or(0);
    let mut ends_open = size > 0;
    // A whole last block may end with or without a line end; one byte back tells.
    log.seek(SeekFrom::Start(at.saturating_sub(1)))?;
    if at > 0 {
        let mut last = [0];
        log.read_exact(&mut last)?;
        ends_open = last != *b"\n";
    }
    let mut block = Vec::new();
    while at < size {
        block.clear();
        let wanted = (size - at).min(BLOCK);
        if log.take(wanted).read_to_end(&mut block)? as u64 != wanted {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the log became shorter while it was read"));
        }
        line_ends += memchr_iter(b'\n', &block).count() as u64;
        ends_open = memrchr(b'\n', &block) != Some(block.len() - 1);
        at += wanted;
        if wanted == BLOCK {
            counts.push(line_ends);
        }
    }
    Ok(line_ends + u64::from(ends_open))
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
                assert_eq!(index.offset_of(&log, nth as u64 + 1).unwrap(), *start, "line {}", nth + 1);
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
