//! A log as a scrolling window over its lines, of which only those that can be seen are in the page.
//! Before the page is live it is the plain end of the log.

use super::ansi;
use super::log_buffer::LogBuffer;
use super::log_window::{self, Viewport, above, drawn, full_height};
use leptos::html::Div;
use leptos::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the reader and the log have to do with each other.
#[derive(Clone, Copy)]
pub(crate) struct LogView {
    pub(crate) buffer: RwSignal<LogBuffer>,
    /// None until the page is live.
    pub(crate) viewport: RwSignal<Option<Viewport>>,
    pub(crate) follows: RwSignal<bool>,
    /// The line that a link or a search points at.
    pub(crate) target: RwSignal<Option<u64>>,
    pub(crate) matches: RwSignal<BTreeSet<u64>>,
    scroller: NodeRef<Div>,
}

impl LogView {
    pub(crate) fn new(buffer: RwSignal<LogBuffer>) -> Self {
        Self {
            buffer,
            viewport: RwSignal::new(None),
            follows: RwSignal::new(true),
            target: RwSignal::new(None),
            matches: RwSignal::new(BTreeSet::new()),
            scroller: NodeRef::new(),
        }
    }

    /// Numbers of the lines to draw.
    pub(crate) fn lines(self) -> Memo<(u64, u64)> {
        Memo::new(move |_| {
            let total = self.buffer.with(|buffer| buffer.total);
            let lines = match self.viewport.get() {
                Some(viewport) => drawn(total, viewport),
                None => total.saturating_sub(UNSEEN_LINES - 1).max(1)..=total,
            };
            (*lines.start(), *lines.end())
        })
    }

    /// Shows a line in the middle and stops following.
    pub(crate) fn show(self, line: u64) {
        self.follows.set(false);
        self.target.set(Some(line));
        if let Some(viewport) = self.viewport.get_untracked() {
            self.jump_to(log_window::centred(line, viewport));
        }
    }

    /// Draws what is there and scrolls after it, when the spacer has its height.
    fn jump_to(self, top: u64) {
        self.viewport.update(|viewport| {
            if let Some(viewport) = viewport {
                viewport.top = top;
            }
        });
        request_animation_frame(move || self.scroll_to(top));
    }

    /// Also called when the view may be gone: a frame later.
    #[allow(clippy::cast_possible_truncation)] // pixels of an element, which browsers end far below 2^31
    fn scroll_to(self, top: u64) {
        if let Some(Some(scroller)) = self.scroller.try_get_untracked() {
            scroller.set_scroll_top(top.min(i32::MAX as u64) as i32);
        }
    }

    /// From here on only what is seen is drawn, beginning with the end that was drawn before.
    fn measure(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let height = u64::try_from(scroller.client_height()).unwrap_or(0);
        let total = self.buffer.with_untracked(|buffer| buffer.total);
        self.viewport.set(Some(Viewport { top: full_height(total).saturating_sub(height), height }));
    }

    /// Takes over where the reader has scrolled to. Upwards means reading, the end means following.
    fn scrolled(self) {
        let Some(scroller) = self.scroller.get_untracked() else { return };
        let pixels = |length: i32| u64::try_from(length).unwrap_or(0);
        let now = Viewport { top: pixels(scroller.scroll_top()), height: pixels(scroller.client_height()) };
        let before = self.viewport.get_untracked();
        if before == Some(now) {
            return;
        }
        self.viewport.set(Some(now));
        let total = self.buffer.with_untracked(|buffer| buffer.total);
        let went_up = before.is_some_and(|before| now.top < before.top);
        if log_window::is_at_end(total, now) && !went_up {
            self.set_follows(true);
        } else if went_up {
            self.set_follows(false);
        }
    }

    fn set_follows(self, follows: bool) {
        if self.follows.get_untracked() != follows {
            self.follows.set(follows);
        }
    }

    /// Runs in the browser only: measures, and keeps to the end while following.
    fn watch(self) {
        Effect::new(move |_| {
            if self.scroller.get().is_some() {
                self.measure();
                let resized = window_event_listener_untyped("resize", move |_| self.scrolled());
                on_cleanup(move || resized.remove());
            }
        });
        let total = Memo::new(move |_| self.buffer.with(|buffer| buffer.total));
        let is_measured = Memo::new(move |_| self.viewport.with(Option::is_some));
        Effect::new(move |_| {
            let total = total.get();
            if is_measured.get() && self.follows.get() {
                let height = self.viewport.get_untracked().map_or(0, |viewport| viewport.height);
                self.jump_to(full_height(total).saturating_sub(height));
            }
        });
    }
}

/// Drawn on the server, where no screen's height is known: enough to read the end of most logs.
const UNSEEN_LINES: u64 = 60;

#[component]
pub(crate) fn LogScroller(view: LogView) -> impl IntoView {
    view.watch();
    let lines = view.lines();
    let rows = move || {
        let (first, last) = lines.get();
        let target = view.target.get();
        view.buffer.with(|buffer| {
            view.matches.with(|matches| {
                let row = |number| Row {
                    number,
                    text: buffer.line(number),
                    is_target: target == Some(number),
                    is_match: matches.contains(&number),
                };
                (first..=last).map(row).collect::<Vec<_>>()
            })
        })
    };
    let height = move || {
        let total = view.buffer.with(|buffer| buffer.total);
        view.viewport.with(Option::is_some).then(|| format!("height:{}px", full_height(total)))
    };
    let offset = move || {
        let (first, last) = lines.get();
        view.viewport.with(Option::is_some).then(|| format!("transform:translateY({}px)", above(&(first..=last))))
    };
    view! {
        <div class="log" role="region" aria-label="Log" tabindex="0" node_ref=view.scroller on:scroll=move |_| view.scrolled()>
            <div class="log-all" style=height>
                <div class="log-drawn" style=offset>
                    <For each=rows key=Row::key children=log_line />
                </div>
            </div>
        </div>
    }
}

struct Row {
    number: u64,
    /// None until it has come from the server.
    text: Option<Arc<str>>,
    is_target: bool,
    is_match: bool,
}

impl Row {
    /// A line is drawn anew when its text has come or grown, or what points at it has changed.
    fn key(&self) -> (u64, Option<usize>, bool, bool) {
        (self.number, self.text.as_ref().map(|text| text.len()), self.is_target, self.is_match)
    }
}

fn log_line(row: Row) -> impl IntoView {
    let spans = row.text.as_deref().map(ansi::spans).unwrap_or_default();
    let spans = spans.into_iter().map(|span| view! { <span class=span.class>{span.text}</span> }).collect_view();
    let number = row.number;
    let class = match (row.is_target, row.is_match) {
        (true, _) => "log-line is-target",
        (false, true) => "log-line is-match",
        (false, false) => "log-line",
    };
    view! {
        <div class=class data-line=number.to_string()>
            <a class="log-number" href=format!("#L{number}") aria-label=format!("Line {number}") data-noscroll=""
                tabindex="-1">
                {number.to_string()}
            </a>
            <span class="log-text">{spans}</span>
        </div>
    }
}
