//! The lines of a log that are here, of the many that there are. Bounded: what is far from what is read goes first.

use protocol::api::LogLines;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Lines kept. Some screens' worth of scrolling back without asking again, at a few megabytes.
const KEPT: usize = 20_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogBuffer {
    /// Each complete in itself: the server writes the colours that go on into it at its beginning.
    lines: BTreeMap<u64, Arc<str>>,
    pub(crate) total: u64,
    pub(crate) bytes: u64,
    /// Nothing will be added any more.
    pub(crate) is_complete: bool,
}

impl LogBuffer {
    pub(crate) fn of(window: LogLines) -> Self {
        let mut buffer = Self::default();
        buffer.add(window);
        buffer
    }

    /// A later answer wins: the last line of a growing log may since have become longer.
    pub(crate) fn add(&mut self, window: LogLines) {
        let was_last = self.total;
        self.total = window.total;
        self.bytes = window.bytes;
        self.is_complete = window.complete;
        let (first, count) = (window.first, window.lines.len() as u64);
        if window.total > was_last && !(first..first + count).contains(&was_last) {
            // It may have been unfinished, and is not read on from any more.
            self.lines.remove(&was_last);
        }
        for (number, text) in (first..).zip(window.lines) {
            // One that stayed as it is stays the same, so that it is not drawn anew.
            if self.lines.get(&number).is_none_or(|known| **known != text) {
                self.lines.insert(number, Arc::from(text));
            }
        }
        self.forget_all_but_around(first, first + count);
    }

    pub(crate) fn line(&self, number: u64) -> Option<Arc<str>> {
        self.lines.get(&number).cloned()
    }

    /// The first and last of these lines that are not here.
    pub(crate) fn missing(&self, wanted: &RangeInclusive<u64>) -> Option<RangeInclusive<u64>> {
        let is_missing = |number: &u64| !self.lines.contains_key(number);
        let first = wanted.clone().find(is_missing)?;
        let last = wanted.clone().rev().find(is_missing)?;
        Some(first..=last)
    }

    fn forget_all_but_around(&mut self, first: u64, end: u64) {
        while self.lines.len() > KEPT {
            let (Some(lowest), Some(highest)) = (self.lines.keys().next(), self.lines.keys().next_back()) else {
                return;
            };
            if first.saturating_sub(*lowest) > highest.saturating_sub(end) {
                self.lines.pop_first();
            } else {
                self.lines.pop_last();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(first: u64, count: u64, total: u64) -> LogLines {
        let lines = (first..first + count).map(|number| format!("line {number}")).collect();
        LogLines { first, lines, total, bytes: total * 10, complete: false }
    }

    fn text(buffer: &LogBuffer, number: u64) -> Option<String> {
        buffer.line(number).map(|line| line.to_string())
    }

    #[test]
    fn what_is_not_here_is_asked_for() {
        let mut buffer = LogBuffer::of(window(101, 100, 1_000));
        assert_eq!(buffer.missing(&(101..=200)), None);
        assert_eq!(buffer.missing(&(51..=120)), Some(51..=100));
        assert_eq!(buffer.missing(&(90..=210)), Some(90..=210));
        buffer.add(window(51, 50, 1_000));
        assert_eq!(buffer.missing(&(51..=120)), None);
    }

    #[test]
    fn a_line_that_grew_is_replaced() {
        let mut buffer = LogBuffer::of(LogLines { lines: vec!["half".to_owned()], ..window(7, 0, 7) });
        buffer.add(LogLines { lines: vec!["half a line".to_owned(), "next".to_owned()], ..window(7, 0, 8) });
        assert_eq!((text(&buffer, 7).as_deref(), buffer.total), (Some("half a line"), 8));
        let before = buffer.line(7).expect("a line");
        buffer.add(LogLines { lines: vec!["half a line".to_owned(), "nest".to_owned()], ..window(7, 0, 8) });
        assert!(Arc::ptr_eq(&before, &buffer.line(7).expect("a line")), "an equal line is drawn anew");
        assert_eq!(text(&buffer, 8).as_deref(), Some("nest"));
    }

    #[test]
    fn a_last_line_that_others_follow_unseen_is_asked_for_again() {
        let mut buffer = LogBuffer::of(LogLines { lines: vec!["half".to_owned()], ..window(7, 0, 7) });
        buffer.add(window(1, 3, 12));
        assert_eq!((text(&buffer, 7), buffer.missing(&(7..=7))), (None, Some(7..=7)));
    }

    #[test]
    fn the_farthest_lines_make_room() {
        let kept = KEPT as u64;
        let mut buffer = LogBuffer::of(window(1, kept, 200_000));
        buffer.add(window(100_000, 500, 200_000));
        assert_eq!(buffer.lines.len(), KEPT);
        assert_eq!((buffer.line(1), buffer.line(501).is_some(), buffer.line(100_499).is_some()), (None, true, true));
    }
}
