//! A log as a scrolling window over its lines, of which only those that can be seen are in the page.
//! Before the page is live it is the plain end of the log.

use super::ansi::{self, Span};
use super::log_buffer::LogBuffer;
use super::log_view::LogView;
use super::log_window::{above, bar_height, is_at_end};
use super::rows::{RowKey, Rows};
use crate::browser;
use leptos::ev::{KeyboardEvent, MouseEvent, WheelEvent};
use leptos::prelude::*;
use std::sync::Arc;
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

/// What the runner reads of a scenario's output: no news to a reader.
const PROTOCOL: &str = "::progress";
/// As far as browsers scroll by an arrow key: two lines.
const ARROW_PX: i64 = 40;

#[component]
pub(crate) fn LogScroller(
    view: LogView,
    /// Makes the lines from the first to the second those that the address points at.
    on_link: Callback<(u64, u64)>,
    /// To the next match, or to the one before.
    on_step: Callback<bool>,
) -> impl IntoView {
    view.watch();
    let lines = view.lines();
    // A line is drawn anew when its text has come or changed, and for nothing else: a text that stayed is the same one.
    let keys = Signal::derive(move || {
        let (first, last) = lines.get();
        let key = |buffer: &LogBuffer, number: u64| {
            (number.cast_signed(), buffer.line(number).map_or(0, |line| line.as_ptr() as usize))
        };
        view.buffer.with(|buffer| (first..=last).map(|number| key(buffer, number)).collect::<Vec<_>>())
    });
    let row = Callback::new(move |(number, _): RowKey| {
        let number = number.cast_unsigned();
        // None until it has come from the server.
        let line = view.buffer.with_untracked(|buffer| buffer.line(number));
        view! { <LogLine number line view on_link /> }.into_any()
    });
    let is_live = Memo::new(move |_| view.viewport.with(Option::is_some));
    let height = move || is_live.get().then(|| format!("height:{}px", bar_height(view.length())));
    let offset = move || {
        let viewport = view.viewport.get()?;
        // However high the last lines are, the log ends at the bottom.
        if view.folds.get() && is_at_end(view.length(), viewport) {
            return Some(format!("position:absolute;bottom:0;min-height:{}px", viewport.height));
        }
        let (first, last) = lines.get();
        Some(format!("transform:translateY({}px)", above(&(first..=last), viewport, view.length())))
    };
    let pressed = move |event: KeyboardEvent| {
        if event.ctrl_key() || event.alt_key() || event.meta_key() {
            return;
        }
        match event.key().as_str() {
            "n" => on_step.run(true),
            "N" => on_step.run(false),
            "ArrowDown" if move_from_line(view, 1) => {}
            "ArrowUp" if move_from_line(view, -1) => {}
            key if steps_over(view) && step(view, key, event.shift_key()) => {}
            _ => return,
        }
        event.prevent_default();
    };
    let turned = move |event: WheelEvent| {
        if view.is_scaled() && !event.ctrl_key() && !event.shift_key() && turn(view, &event) {
            event.prevent_default();
        }
    };
    view! {
        <div class="log" class:is-live=is_live class:is-folded=view.folds role="region" aria-label="Log" tabindex="0" node_ref=view.scroller
            on:scroll=move |_| view.scrolled() on:keydown=pressed on:wheel=turned>
            <div class="log-all" style=height>
                <div class="log-drawn" style=offset>
                    <Rows keys row />
                </div>
            </div>
        </div>
    }
}

/// Whether the browser's own steps would go over lines that nobody has seen.
fn steps_over(view: LogView) -> bool {
    view.is_scaled() || view.folds.get_untracked()
}

/// As far as the browser would; false where it is no such key, or nothing is there.
fn step(view: LogView, key: &str, has_shift: bool) -> bool {
    match key {
        "ArrowDown" => view.step(ARROW_PX),
        "ArrowUp" => view.step(-ARROW_PX),
        // The browser's own way there takes a moment, in which the next key would be lost.
        "Home" => view.step(-i64::MAX),
        "End" => view.step(i64::MAX),
        "PageDown" => view.turn_page(true),
        "PageUp" => view.turn_page(false),
        " " => view.turn_page(!has_shift),
        _ => false,
    }
}

/// How far a wheel is turned browsers tell in pixels, in lines or in pages.
#[allow(clippy::cast_possible_truncation)] // a few screens at most
fn turn(view: LogView, event: &WheelEvent) -> bool {
    let down = event.delta_y() as i64;
    match event.delta_mode() {
        WheelEvent::DOM_DELTA_LINE => view.step(down * ARROW_PX / 2),
        WheelEvent::DOM_DELTA_PAGE => view.turn_page(down > 0),
        _ => view.step(down),
    }
}

/// From the number that has the focus to a neighbour's; false where none has it.
fn move_from_line(view: LogView, by: i64) -> bool {
    let Some(focused) = document().active_element() else { return false };
    let Some(line) = focused.get_attribute("data-number").and_then(|line| line.parse::<u64>().ok()) else {
        return false;
    };
    let wanted = line.saturating_add_signed(by).clamp(1, view.total_untracked().max(1));
    view.focused.set(Some(wanted));
    view.bring_into_sight(wanted);
    request_animation_frame(move || browser::focus_first(&format!("[data-number=\"{wanted}\"]")));
    true
}

#[component]
fn LogLine(number: u64, line: Option<Arc<str>>, view: LogView, on_link: Callback<(u64, u64)>) -> impl IntoView {
    let is_protocol = line.as_ref().is_some_and(|line| line.trim_start().starts_with(PROTOCOL));
    let spans = line.map(|line| ansi::spans(&line)).unwrap_or_default();
    let span = |span: Span| view! { <span class=span.class style=span.style>{span.text}</span> };
    let spans = spans.into_iter().map(span).collect_view();
    let is_target =
        Memo::new(move |_| view.target.with(|target| target.is_some_and(|(from, to)| (from..=to).contains(&number))));
    let is_match = Memo::new(move |_| view.matches.with(|matches| matches.lines.contains(&number)));
    let is_stop = Memo::new(move |_| view.tab_stop() == number);
    let linked = move |event: MouseEvent| {
        if event.ctrl_key() || event.meta_key() {
            return;
        }
        event.prevent_default();
        // As in a text: from where one was to here.
        let from = view.target.get_untracked().filter(|_| event.shift_key()).map_or(number, |(from, _)| from);
        view.focused.set(Some(number));
        on_link.run((from.min(number), from.max(number)));
        if let Some(link) = event.current_target().and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
            let _ = link.focus();
        }
    };
    view! {
        <div class="log-line" class:is-target=is_target class:is-match=is_match class:is-protocol=is_protocol
            data-line=number.to_string()>
            <a class="log-number" href=format!("#L{number}") aria-label=format!("Line {number}") data-noscroll=""
                data-number=number.to_string() tabindex=move || if is_stop.get() { "0" } else { "-1" } on:click=linked>
                {number.to_string()}
            </a>
            <span class="log-text">{spans}</span>
        </div>
    }
}
