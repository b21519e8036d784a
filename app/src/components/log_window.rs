//! Which of a log's lines are in the page: those that can be seen and some around them, however long the log is.
//! Pure arithmetic on a fixed line height. Positions in the log are pixels from its top as if all of it were drawn;
//! of a long one the browser's scroll bar moves over fewer, since browsers end an element's height.

use std::ops::RangeInclusive;

/// Must equal `--log-line` in tokens.css.
pub(crate) const LINE_HEIGHT_PX: u64 = 20;
/// Lines above and below what is seen, so that scrolling shows text and not gaps.
const MARGIN: u64 = 30;
/// What a scroll position may be off from the very end and still mean "the end", as zoom makes fractions.
const END_SLACK_PX: u64 = LINE_HEIGHT_PX * 2;
/// The height that the scroll bar moves over at most: Firefox ignores heights above 17,895,697 px, Chromium above twice that.
const LARGEST_PX: u64 = 10_000_000;

/// What of the log can be seen, in pixels from its top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Viewport {
    pub(crate) top: u64,
    pub(crate) height: u64,
}

impl Viewport {
    /// What the browser's scroll position shows.
    pub(crate) const fn of_scroll(scroll_top: u64, height: u64, length: u64) -> Self {
        let (all, bar) = (room(length, height), room(bar_height(length), height));
        let top = if all == bar { scroll_top } else { scale(scroll_top, all, bar) };
        Self { top, height }
    }

    /// The scroll position that shows it.
    pub(crate) const fn to_scroll(self, length: u64) -> u64 {
        let (all, bar) = (room(length, self.height), room(bar_height(length), self.height));
        if all == bar { self.top } else { scale(self.top, bar, all) }
    }

    /// Whether a whole line is in it.
    pub(crate) const fn shows(self, line: u64) -> bool {
        let top = (line.saturating_sub(1)) * LINE_HEIGHT_PX;
        top >= self.top && top + LINE_HEIGHT_PX <= self.top + self.height
    }

    pub(crate) const fn first_line(self) -> u64 {
        self.top.div_ceil(LINE_HEIGHT_PX) + 1
    }

    pub(crate) const fn last_line(self) -> u64 {
        (self.top + self.height) / LINE_HEIGHT_PX
    }
}

const fn room(content: u64, height: u64) -> u64 {
    content.saturating_sub(height)
}

/// Rounded, so that there and back is the same place or a pixel beside it.
#[allow(clippy::cast_possible_truncation)] // no more than `to` for what is no more than `from`
const fn scale(position: u64, to: u64, from: u64) -> u64 {
    if from == 0 {
        return 0;
    }
    ((position as u128 * to as u128 + from as u128 / 2) / from as u128) as u64
}

/// Numbers, from 1, of the lines to draw; empty (1 to 0) for an empty log.
pub(crate) fn drawn(total: u64, viewport: Viewport) -> RangeInclusive<u64> {
    let first_seen = viewport.top / LINE_HEIGHT_PX;
    let last_seen = (viewport.top + viewport.height).div_ceil(LINE_HEIGHT_PX);
    let last = (last_seen + MARGIN).min(total);
    let first = (first_seen.saturating_sub(MARGIN) + 1).min(last.max(1));
    first..=last
}

/// As `drawn`, where lines are folded: each is as high as it is, so that nothing may stand above what is seen, save at
/// the end, which stands at the bottom.
pub(crate) fn drawn_folded(total: u64, viewport: Viewport) -> RangeInclusive<u64> {
    let first = (viewport.top / LINE_HEIGHT_PX + 1).min(total.max(1));
    if !is_at_end(length_folded(total, viewport.height), viewport) {
        return first..=*drawn(total, viewport).end();
    }
    first.saturating_sub(viewport.height / LINE_HEIGHT_PX).max(1)..=total
}

/// Pixels above the first line drawn, in what is scrolled: beside the scroll position as far as it is in the log
/// beside what is seen. Close to the beginning of a long log, where all from the first line on is drawn, they begin
/// above what can be scrolled to.
pub(crate) const fn above(drawn: &RangeInclusive<u64>, viewport: Viewport, length: u64) -> i64 {
    let in_log = (*drawn.start() - 1) * LINE_HEIGHT_PX;
    (viewport.to_scroll(length) + in_log).cast_signed() - viewport.top.cast_signed()
}

/// Of all lines, in pixels.
pub(crate) const fn length(total: u64) -> u64 {
    total * LINE_HEIGHT_PX
}

/// As `length`, where lines are folded: the last one has to get to the top, since it may be as high as all that is seen.
pub(crate) const fn length_folded(total: u64, height: u64) -> u64 {
    length(total) + if total == 0 { 0 } else { room(height, LINE_HEIGHT_PX) }
}

/// Whether the browser's own steps (a key's, a wheel's) are larger in the log than they should be.
pub(crate) const fn is_scaled(length: u64) -> bool {
    length > LARGEST_PX
}

/// Of the element that is scrolled.
pub(crate) const fn bar_height(length: u64) -> u64 {
    if is_scaled(length) { LARGEST_PX } else { length }
}

/// Where the log's end stands at the bottom.
pub(crate) const fn end(length: u64, height: u64) -> u64 {
    room(length, height)
}

/// Where a step leads that is as long in the log as it is told; none where that is no step at all. Close to the end it
/// goes on to it.
pub(crate) fn stepped(length: u64, viewport: Viewport, by: i64) -> Option<Viewport> {
    let mut next = Viewport { top: viewport.top.saturating_add_signed(by), ..viewport };
    if by > 0 && is_at_end(length, next) {
        next.top = end(length, viewport.height);
    }
    (next.top != viewport.top).then_some(next)
}

/// Whether the reader sees the log's end.
pub(crate) const fn is_at_end(length: u64, viewport: Viewport) -> bool {
    viewport.top + viewport.height + END_SLACK_PX >= length
}

/// Whether it is another way up than the fractions of a pixel that zoom and the scroll bar of a long log take. With a
/// scroll bar across the bottom that comes or goes, one of the two edges stays where it was.
pub(crate) const fn went_up(from: Viewport, to: Viewport) -> bool {
    to.top + END_SLACK_PX / 4 < from.top && to.top + to.height + END_SLACK_PX / 4 < from.top + from.height
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
        assert_eq!(above(&lines, at(2_000_000), length(200_000)), 99_970 * 20);
    }

    #[test]
    fn nothing_is_drawn_above_what_is_seen_of_folded_lines() {
        assert_eq!(drawn_folded(200_000, at(2_000_010)), 100_001..=100_051);
        assert_eq!(above(&(100_001..=100_051), at(2_000_010), length_folded(200_000, SCREEN)), 2_000_000);
        assert!(drawn_folded(0, at(0)).is_empty());
    }

    #[test]
    fn each_of_the_last_folded_lines_gets_to_the_top_and_the_end_fills_the_screen() {
        let all = length_folded(100, SCREEN);
        for line in [80, 90, 97] {
            let top = at((line - 1) * LINE_HEIGHT_PX);
            assert!(top.top <= end(all, SCREEN) && *drawn_folded(100, top).start() == line, "{line}");
        }
        assert_eq!(drawn_folded(100, at(end(all, SCREEN))), 80..=100);
        assert_eq!(drawn_folded(3, at(0)), 1..=3);
    }

    #[test]
    fn the_ends_of_the_log_are_the_ends_of_what_is_drawn() {
        assert_eq!(drawn(200_000, at(0)), 1..=50);
        assert_eq!(drawn(200_000, at(end(length(200_000), SCREEN))), 199_951..=200_000);
        assert_eq!(drawn(3, at(0)), 1..=3);
        assert!(drawn(0, at(0)).is_empty());
    }

    #[test]
    fn a_log_that_shrank_under_the_reader_still_draws_its_end() {
        assert_eq!(drawn(10, at(100_000)), 10..=10);
    }

    #[test]
    fn the_end_is_seen_also_when_zoom_takes_a_pixel() {
        assert!(is_at_end(length(100), at(end(length(100), SCREEN) - 3)));
        assert!(!is_at_end(length(100), at(0)));
        assert!(!went_up(at(3_555), at(3_554)));
        assert!(went_up(at(3_555), at(3_535)));
        let (with_bar, without) = (Viewport { top: 99_980, height: 436 }, Viewport { top: 99_968, height: 448 });
        assert!(!went_up(with_bar, without) && !went_up(without, with_bar));
    }

    #[test]
    fn a_line_is_brought_to_the_middle() {
        assert_eq!(centred(1, at(0)), 0);
        assert_eq!(centred(101, at(0)), 100 * LINE_HEIGHT_PX - SCREEN / 2);
        assert!(at(0).shows(20) && !at(0).shows(21) && !at(10).shows(1));
        assert_eq!((at(0).first_line(), at(10).first_line(), at(20).first_line()), (1, 2, 2));
        assert_eq!((at(0).last_line(), at(10).last_line(), at(20).last_line()), (20, 20, 21));
    }

    #[test]
    fn every_line_of_two_million_is_reached_below_what_browsers_can_scroll() {
        let (total, all) = (2_000_000, length(2_000_000));
        assert_eq!(bar_height(all), LARGEST_PX);
        let last = Viewport::of_scroll(bar_height(all) - SCREEN, SCREEN, all);
        assert_eq!(last.top, end(all, SCREEN));
        assert_eq!(*drawn(total, last).end(), total);
        // The end's last line stands at the bottom of what is scrolled.
        let lines = drawn(total, last);
        let drawn_px = (lines.end() - lines.start() + 1) * LINE_HEIGHT_PX;
        assert_eq!(above(&lines, last, all) + drawn_px.cast_signed(), bar_height(all).cast_signed());
        // The second screen of it: the bar has moved by a quarter of what is above it in the log.
        let second = drawn(total, at(SCREEN));
        assert_eq!((*second.start(), above(&second, at(SCREEN), all)), (1, -300));
        for top in [0, 1, 999_999, 20_000_000, 39_999_000] {
            let back = Viewport::of_scroll(at(top).to_scroll(all), SCREEN, all);
            assert!(back.top.abs_diff(top) <= 4, "{top} became {}", back.top);
        }
    }

    #[test]
    fn a_step_ends_at_the_ends_of_the_log() {
        assert!(is_scaled(length(2_000_000)) && !is_scaled(length(500_000)));
        let (all, end) = (length(2_000_000), end(length(2_000_000), SCREEN));
        assert_eq!(stepped(all, at(1_000), 380), Some(at(1_380)));
        assert_eq!([stepped(all, at(100), -380), stepped(all, at(0), -380)], [Some(at(0)), None]);
        assert_eq!([stepped(all, at(end - 1), 380), stepped(all, at(end), 380)], [Some(at(end)), None]);
        assert_eq!(stepped(all, at(end - 400), 380), Some(at(end)));
        assert_eq!(stepped(all, at(end), -20), Some(at(end - 20)));
    }

    #[test]
    fn a_short_log_is_scrolled_pixel_by_pixel() {
        assert_eq!(Viewport::of_scroll(123, SCREEN, length(1_000)), at(123));
        assert_eq!(at(123).to_scroll(length(1_000)), 123);
        assert_eq!(Viewport::of_scroll(0, SCREEN, length(3)), at(0));
    }
}
