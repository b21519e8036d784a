//! Which of a log's lines are in the page: those that can be seen and some around them, however long the log is.
//! Pure arithmetic on a fixed line height.

use std::ops::RangeInclusive;

/// Must equal `--log-line` in tokens.css.
pub(crate) const LINE_HEIGHT_PX: u64 = 20;
/// Lines above and below what is seen, so that scrolling shows text and not gaps.
const MARGIN: u64 = 30;
/// What a scroll position may be off from the very end and still mean "the end", as zoom makes fractions.
const END_SLACK_PX: u64 = LINE_HEIGHT_PX * 2;

/// What of the log can be seen, in pixels from its top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Viewport {
    pub(crate) top: u64,
    pub(crate) height: u64,
}

/// Numbers, from 1, of the lines to draw; empty (1 to 0) for an empty log.
pub(crate) fn drawn(total: u64, viewport: Viewport) -> RangeInclusive<u64> {
    let first_seen = viewport.top / LINE_HEIGHT_PX;
    let last_seen = (viewport.top + viewport.height).div_ceil(LINE_HEIGHT_PX);
    let last = (last_seen + MARGIN).min(total);
    let first = (first_seen.saturating_sub(MARGIN) + 1).min(last.max(1));
    first..=last
}

/// Pixels above the first line drawn.
pub(crate) fn above(drawn: &RangeInclusive<u64>) -> u64 {
    (drawn.start() - 1) * LINE_HEIGHT_PX
}

pub(crate) const fn full_height(total: u64) -> u64 {
    total * LINE_HEIGHT_PX
}

/// Whether the reader sees the log's end.
pub(crate) const fn is_at_end(total: u64, viewport: Viewport) -> bool {
    viewport.top + viewport.height + END_SLACK_PX >= full_height(total)
}

/// Where to scroll so that a line stands in the middle.
pub(crate) const fn centred(line: u64, viewport: Viewport) -> u64 {
    ((line - 1) * LINE_HEIGHT_PX).saturating_sub(viewport.height / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: u64 = 400;

    fn at(top: u64) -> Viewport {
        Viewport { top, height: SCREEN }
    }

    #[test]
    fn only_what_is_near_the_screen_is_drawn() {
        let lines = drawn(200_000, at(2_000_000));
        assert_eq!(lines, 99_971..=100_050);
        assert_eq!(above(&lines), 99_970 * LINE_HEIGHT_PX);
    }

    #[test]
    fn the_ends_of_the_log_are_the_ends_of_what_is_drawn() {
        assert_eq!(drawn(200_000, at(0)), 1..=50);
        assert_eq!(drawn(200_000, at(full_height(200_000) - SCREEN)), 199_951..=200_000);
        assert_eq!(drawn(3, at(0)), 1..=3);
        assert!(drawn(0, at(0)).is_empty());
    }

    #[test]
    fn a_log_that_shrank_under_the_reader_still_draws_its_end() {
        assert_eq!(drawn(10, at(100_000)), 10..=10);
    }

    #[test]
    fn the_end_is_seen_also_when_zoom_takes_a_pixel() {
        assert!(is_at_end(100, at(full_height(100) - SCREEN - 3)));
        assert!(!is_at_end(100, at(0)));
    }

    #[test]
    fn a_line_is_brought_to_the_middle() {
        assert_eq!(centred(1, at(0)), 0);
        assert_eq!(centred(101, at(0)), 100 * LINE_HEIGHT_PX - SCREEN / 2);
    }
}
