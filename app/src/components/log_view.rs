//! What the reader and a log have to do with each other: what is in sight, whether the end is followed, which lines a
//! link or a search points at.

use super::log_buffer::LogBuffer;
use super::log_match;
use super::log_window::{self, LINE_HEIGHT_PX, Viewport, drawn, drawn_folded, end};
use crate::browser;
use leptos::html::Div;
use leptos::prelude::*;
use std::collections::BTreeSet;
use web_sys::Element;
use web_sys::wasm_bindgen::JsCast;

/// Drawn on the server, where no screen's height is known: enough to read the end of most logs.
const UNSEEN_LINES: u64 = 60;

/// What was found of what is looked for.
#[derive(Default)]
pub(crate) struct Matches {
    pub(crate) lines: BTreeSet<u64>,
    /// The match that one is at: its line, and the words that stand there.
    at: Option<(u64, String)>,
}

#[derive(Clone, Copy)]
pub(crate) struct LogView {
    pub(crate) buffer: RwSignal<LogBuffer>,
    /// None until the page is live.
    pub(crate) viewport: RwSignal<Option<Viewport>>,
    pub(crate) follows: RwSignal<bool>,
    /// Whether long lines are folded, so that all of them is seen.
    pub(crate) folds: RwSignal<bool>,
    /// The first and the last of the lines that a link or a search points at.
    pub(crate) target: RwSignal<Option<(u64, u64)>>,
    pub(crate) matches: RwSignal<Matches>,
    /// The line whose number the keyboard is at.
    pub(crate) focused: RwSignal<Option<u64>>,
    pub(crate) scroller: NodeRef<Div>,
    /// Where it has scrolled by itself, until the browser tells of it.
    restored: StoredValue<Option<u64>>,
    /// Where it was left and is to be taken up again, in pixels from its top.
    left_at: Option<u64>,
}

impl LogView {
    /// `left_at` as `left_at()` gave it; none: to follow the end.
    pub(crate) fn new(buffer: RwSignal<LogBuffer>, left_at: Option<u64>) -> Self {
        Self {
            buffer,
            viewport: RwSignal::new(None),
            follows: RwSignal::new(left_at.is_none()),
            folds: RwSignal::new(false),
            target: RwSignal::new(None),
            matches: RwSignal::new(Matches::default()),
            focused: RwSignal::new(None),
            scroller: NodeRef::new(),
            restored: StoredValue::new(None),
            left_at,
        }
    }

    /// Where the reader is, for when the log is shown again; none while its end is followed.
    pub(crate) fn left_at(self) -> Option<u64> {
        let is_reading = !self.follows.try_get_untracked()?;
        self.viewport.try_get_untracked()?.filter(|_| is_reading).map(|viewport| viewport.top)
    }

    pub(crate) fn total(self) -> u64 {
        self.buffer.with(|buffer| buffer.total)
    }

    pub(crate) fn total_untracked(self) -> u64 {
        self.buffer.with_untracked(|buffer| buffer.total)
    }

    /// What the log is long, in pixels.
    pub(crate) fn length(self) -> u64 {
        let total = self.total();
        if !self.folds.get() {
            return log_window::length(total);
        }
        log_window::length_folded(total, self.viewport.get().map_or(0, |viewport| viewport.height))
    }

    fn length_untracked(self) -> u64 {
        untrack(|| self.length())
    }

    /// Numbers of the lines to draw.
    pub(crate) fn lines(self) -> Memo<(u64, u64)> {
        Memo::new(move |_| {
            let total = self.total();
            let lines = match self.viewport.get() {
                Some(viewport) if self.folds.get() => drawn_folded(total, viewport),
                Some(viewport) => drawn(total, viewport),
                None => total.saturating_sub(UNSEEN_LINES - 1).max(1)..=total,
            };
            (*lines.start(), *lines.end())
        })
    }

    /// The one line whose number the Tab key stops at; the arrow keys lead on from there.
    pub(crate) fn tab_stop(self) -> u64 {
        let viewport = self.viewport.get();
        let in_sight = |line: &u64| viewport.is_some_and(|viewport| viewport.shows(*line));
        let wanted = self.focused.get().or_else(|| self.target.get().map(|(from, _)| from));
        let first = viewport.map_or(1, Viewport::first_line);
        wanted.filter(in_sight).unwrap_or_else(|| first.min(self.total().max(1)))
    }

    /// The first and the last of the lines that are pointed at; of none, those that the reader sees.
    pub(crate) fn chosen(self) -> (u64, u64) {
        self.target.get_untracked().unwrap_or_else(|| self.in_sight())
    }

    /// The first and the last line that the reader sees wholly.
    pub(crate) fn in_sight(self) -> (u64, u64) {
        if self.folds.get_untracked() {
            return self.folded_in_sight().unwrap_or((1, 1));
        }
        let (total, viewport) = (self.total_untracked(), self.viewport.get_untracked().unwrap_or_default());
        (viewport.first_line().min(total), viewport.last_line().min(total))
    }

    /// As they stand there, since each is as high as it is.
    fn folded_in_sight(self) -> Option<(u64, u64)> {
        let scroller = self.scroller.get_untracked()?;
        let window = scroller.get_bounding_client_rect();
        let lines = scroller.query_selector_all("[data-line]").ok()?;
        let mut seen = None::<(u64, u64)>;
        for line in (0..lines.length()).filter_map(|at| lines.item(at)?.dyn_into::<Element>().ok()) {
            let place = line.get_bounding_client_rect();
            if place.top() >= window.top() - 1.0 && place.bottom() <= window.bottom() + 1.0 {
                let number = line.get_attribute("data-line")?.parse().ok()?;
                seen = Some((seen.map_or(number, |(first, _)| first), number));
            }
        }
        seen
    }

    /// Points at lines and shows the first of them, in the middle unless it is in sight, and stops following.
    pub(crate) fn show(self, from: u64, to: u64) {
        self.set_follows(false);
        self.target.set(Some((from, to)));
        self.bring_into_sight(from);
    }

    /// Points at the line of a match.
    pub(crate) fn show_match(self, line: u64, words: String) {
        self.show(line, line);
        self.matches.update(|matches| matches.at = Some((line, words)));
    }

    /// Nothing is looked for any more.
    pub(crate) fn forget_matches(self) {
        self.matches.set(Matches::default());
        self.target.set(None);
    }

    pub(crate) fn bring_into_sight(self, line: u64) {
        let Some(viewport) = self.viewport.get_untracked() else { return };
        self.set_follows(false);
        if self.folds.get_untracked() {
            // How much there is to see above it, nobody knows.
            self.jump_to(line.saturating_sub(1) * LINE_HEIGHT_PX);
        } else if !viewport.shows(line) {
            self.jump_to(log_window::centred(line, viewport));
        }
    }

    /// Whether the browser's own steps are larger in the log than on the screen.
    pub(crate) fn is_scaled(self) -> bool {
        log_window::is_scaled(self.length_untracked())
    }

    /// Steps so many pixels down the log, or up; false where there is nothing more.
    pub(crate) fn step(self, by: i64) -> bool {
        let length = self.length_untracked();
        let Some(viewport) = self.viewport.get_untracked() else { return false };
        let Some(next) = log_window::stepped(length, viewport, by) else { return false };
        self.set_follows(by > 0 && log_window::is_at_end(length, next));
        self.viewport.set(Some(next));
        // At once: the next step may come before a frame has.
        self.restore();
        true
    }

    /// Steps to the next screen or the one before; the line at the edge is seen again.
    pub(crate) fn turn_page(self, is_down: bool) -> bool {
        let (first, last) = self.in_sight();
        let lines = last.saturating_sub(first).max(1);
        let wanted = if is_down { first + lines } else { first.saturating_sub(lines).max(1) };
        let top = self.viewport.get_untracked().map_or(0, |viewport| viewport.top);
        self.step((wanted.saturating_sub(1) * LINE_HEIGHT_PX).cast_signed() - top.cast_signed())
    }

    /// Draws what is there, or the end where that comes before it, and scrolls after it, when the spacer has its height.
    fn jump_to(self, top: u64) {
        let length = self.length_untracked();
        self.viewport.update(|viewport| {
            if let Some(viewport) = viewport {
                viewport.top = top.min(end(length, viewport.height));
            }
        });
        request_animation_frame(move || self.restore());
    }

    /// Scrolls to what is drawn. Also called when the view may be gone: a frame later.
    #[allow(clippy::cast_possible_truncation)] // pixels of an element, which browsers end far below 2^31
    pub(crate) fn restore(self) {
        let (Some(Some(scroller)), Some(Some(viewport))) =
            (self.scroller.try_get_untracked(), self.viewport.try_get_untracked())
        else {
            return;
        };
        let top = viewport.to_scroll(self.length_untracked());
        scroller.set_scroll_top(top.min(i32::MAX as u64) as i32);
        let _ = self.restored.try_set_value(u64::try_from(scroller.scroll_top()).ok());
    }

    /// What the browser shows now.
    fn measured(self) -> Option<Viewport> {
        let scroller = self.scroller.get_untracked()?;
        let pixels = |length: i32| u64::try_from(length).unwrap_or(0);
        let height = pixels(scroller.client_height());
        // Nothing while it is hidden.
        (height > 0).then(|| Viewport::of_scroll(pixels(scroller.scroll_top()), height, self.length_untracked()))
    }

    /// From here on only what is seen is drawn, beginning with the end that was drawn before, or how far above it the
    /// reader has scrolled.
    fn measure(self) {
        let Some(Viewport { height, .. }) = self.measured() else { return };
        if let Some(top) = self.left_at {
            self.viewport.set(Some(Viewport { top, height }));
            return self.jump_to(top);
        }
        // Up to now from the end on, as the style sheet has it.
        let above = self.scroller.get_untracked().map_or(0, |scroller| scroller.scroll_top().unsigned_abs());
        let top = end(self.length_untracked(), height);
        let viewport = Viewport { top: top.saturating_sub(above.into()), height };
        self.viewport.set(Some(viewport));
        if log_window::went_up(Viewport { top, height }, viewport) {
            self.set_follows(false);
            request_animation_frame(move || self.restore());
        }
    }

    /// Takes over where the reader has scrolled to. Upwards means reading, the end means following.
    pub(crate) fn scrolled(self) {
        let (Some(now), before) = (self.measured(), self.viewport.get_untracked()) else { return };
        // What came of one's own jump is where it led, whatever zoom has rounded it to. Of one that another has followed
        // since, which has had no frame yet, the browser tells late.
        let length = self.length_untracked();
        let restored = self.restored.get_value();
        self.restored.set_value(None);
        let is_same = |before: Viewport| {
            let own = [Some(before.to_scroll(length)), restored];
            before.height == now.height && own.into_iter().flatten().any(|own| own.abs_diff(now.to_scroll(length)) <= 1)
        };
        if before.is_some_and(is_same) {
            return;
        }
        self.viewport.set(Some(now));
        let went_up = before.is_some_and(|before| log_window::went_up(before, now));
        if went_up {
            self.set_follows(false);
        } else if log_window::is_at_end(length, now) {
            self.set_follows(true);
        }
        // A scroll bar across the bottom has come or gone.
        if before.is_some_and(|before| before.height != now.height) && self.follows.get_untracked() {
            self.jump_to(end(self.length_untracked(), now.height));
        }
    }

    /// It is shown larger or smaller, or shown again: what is followed stays in sight.
    fn resized(self) {
        let (Some(now), before) = (self.measured(), self.viewport.get_untracked()) else { return };
        match before {
            None => self.measure(),
            Some(before) if before.height == now.height => {}
            Some(_) => {
                self.viewport.set(Some(now));
                if self.follows.get_untracked() {
                    self.jump_to(end(self.length_untracked(), now.height));
                }
            }
        }
    }

    fn set_follows(self, follows: bool) {
        if self.follows.get_untracked() != follows {
            self.follows.set(follows);
        }
    }

    /// Runs in the browser only: measures, and keeps to the end while following.
    pub(crate) fn watch(self) {
        Effect::new(move |_| {
            if let Some(scroller) = self.scroller.get() {
                self.measure();
                browser::watch_size(&scroller, move || self.resized());
            }
        });
        let total = Memo::new(move |_| self.total());
        let is_measured = Memo::new(move |_| self.viewport.with(Option::is_some));
        Effect::new(move |_| {
            total.track();
            self.folds.track();
            if is_measured.get() && self.follows.get() {
                let height = self.viewport.get_untracked().map_or(0, |viewport| viewport.height);
                self.jump_to(end(self.length_untracked(), height));
            }
        });
        // Once, when its line has come: whoever scrolls on is left alone.
        let marked = Memo::new(move |_| {
            let at = self.matches.with(|matches| matches.at.clone())?;
            self.buffer.with(|buffer| buffer.line(at.0).is_some()).then_some(at)
        });
        Effect::new(move |_| match marked.get() {
            Some((line, words)) => request_animation_frame(move || self.mark(line, &words)),
            None => log_match::unmark(),
        });
        on_cleanup(log_match::unmark);
    }

    /// Also called when the view may be gone: a frame later.
    fn mark(self, line: u64, words: &str) {
        if let Some(Some(scroller)) = self.scroller.try_get_untracked() {
            log_match::mark(&scroller, line, words);
        }
    }
}
