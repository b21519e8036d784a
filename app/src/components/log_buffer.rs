//! The lines of a log that are here, of the many that there are. Bounded: what is far from what is read goes first.

use super::ansi::{self, Look};
use protocol::api::LogLines;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Lines kept. Some screens' worth of scrolling back without asking again, at a few megabytes.
const KEPT: usize = 20_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: Arc<str>,
    /// How it begins, as far as the lines before it are here: colours go on until something ends them.
    pub(crate) look: Look,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogBuffer {
    lines: BTreeMap<u64, Line>,
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
        self.total = window.total;
        self.bytes = window.bytes;
        self.is_complete = window.complete;
        let (first, count) = (window.first, window.lines.len() as u64);
        for (number, text) in (first..).zip(window.lines) {
            // One that stayed as it is stays the same, so that it is not drawn anew.
            if self.lines.get(&number).is_none_or(|known| *known.text != text) {
                self.lines.insert(number, Line { text: Arc::from(text), look: Look::default() });
            }
        }
        self.carry_looks(first, first + count);
        self.forget_all_but_around(first, first + count);
    }

    /// From line to line, and on behind them as long as that changes anything.
    fn carry_looks(&mut self, first: u64, end: u64) {
        let before = first.checked_sub(1).and_then(|before| self.lines.get(&before));
        let mut look = before.map(|line| ansi::end_of(&line.text, line.look)).unwrap_or_default();
        for (next, (number, line)) in (first..).zip(self.lines.range_mut(first..)) {
            if *number != next || (next >= end && line.look == look) {
                return;
            }
            line.look = look;
            look = ansi::end_of(&line.text, look);
        }
    }

    pub(crate) fn line(&self, number: u64) -> Option<Line> {
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
        buffer.line(number).map(|line| line.text.to_string())
    }

    #[test]
    fn colours_go_on_over_lines_also_when_those_before_come_later() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let mut buffer =
            LogBuffer::of(LogLines { lines: lines(&["plain", "end\u{1b}[0m", "after"]), ..window(3, 0, 5) });
        assert_eq!(buffer.line(3).expect("a line").look, Look::default());
        buffer.add(LogLines { lines: lines(&["\u{1b}[31mred", "still"]), ..window(1, 0, 5) });
        let red = buffer.line(2).expect("a line").look;
        assert_ne!(red, Look::default());
        assert_eq!(buffer.line(4).expect("a line").look, red);
        assert_eq!(buffer.line(5).expect("a line").look, Look::default());
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
        let before = buffer.line(7).expect("a line").text;
        buffer.add(LogLines { lines: vec!["half a line".to_owned(), "nest".to_owned()], ..window(7, 0, 8) });
        assert!(Arc::ptr_eq(&before, &buffer.line(7).expect("a line").text), "an equal line is drawn anew");
        assert_eq!(text(&buffer, 8).as_deref(), Some("nest"));
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
