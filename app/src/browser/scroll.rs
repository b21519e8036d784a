//! Where in a view the reader is, and whether they come back to it.

use leptos::prelude::{document, request_animation_frame, window, window_event_listener_untyped};
use std::cell::{Cell, RefCell};
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

/// Elements in sight of which one is to stay when some of them go.
const KEPT_PLACES: usize = 20;

thread_local! {
    static GOES_BACK: Cell<bool> = const { Cell::new(false) };
    /// How far down one was at each address.
    static TOPS: RefCell<Vec<(String, f64)>> = const { RefCell::new(Vec::new()) };
    /// How far down one was at what is gone back to, until that is shown.
    static LEFT_AT: Cell<Option<f64>> = const { Cell::new(None) };
}

/// Notes for `goes_back` which way the reader goes, and where they were. To be called before the router is made, which listens as well and
/// then loads what is gone back to.
pub(crate) fn watch_ways() {
    if cfg!(feature = "ssr") {
        return;
    }
    let _ = window_event_listener_untyped("popstate", |_| {
        GOES_BACK.set(true);
        // Before the browser has scrolled in what is still shown.
        let here = address();
        LEFT_AT.set(TOPS.with_borrow(|tops| tops.iter().find(|(of, _)| *of == here).map(|(_, top)| *top)));
    });
    let _ = window_event_listener_untyped("scroll", |_| {
        let here = address();
        TOPS.with_borrow_mut(|tops| match tops.iter_mut().find(|(of, _)| *of == here) {
            Some((_, top)) => *top = scroll_top(),
            None => tops.push((here, scroll_top())),
        });
    });
    for begins_anew in ["pointerdown", "keydown"] {
        let _ = window_event_listener_untyped(begins_anew, |_| GOES_BACK.set(false));
    }
}

fn address() -> String {
    window().location().href().unwrap_or_default()
}

/// In a view that was just opened: to where it was left, if one goes back to it.
#[cfg(not(feature = "ssr"))]
pub(crate) fn scroll_to_left() {
    if let Some(top) = LEFT_AT.take().filter(|_| goes_back()) {
        scroll_soon_to(top);
    }
}

/// Whether the view that is shown or loaded was come to by back or forward.
pub(crate) fn goes_back() -> bool {
    GOES_BACK.get()
}

pub(crate) fn scroll_top() -> f64 {
    window().scroll_y().unwrap_or_default()
}

/// When what is to be scrolled to has been drawn.
pub(crate) fn scroll_soon_to(top: f64) {
    request_animation_frame(move || window().scroll_to_with_x_and_y(0.0, top));
}

/// What is about to change above the first of these elements that is in sight, and stays, does not move it.
pub(crate) fn keep_place(selector: &str) {
    if scroll_top() <= 0.0 {
        return;
    }
    let Ok(found) = document().query_selector_all(selector) else { return };
    let elements = (0..found.length()).filter_map(|at| found.get(at)).map(JsCast::unchecked_into::<HtmlElement>);
    let top_of = |element: &HtmlElement| element.get_bounding_client_rect().top();
    let in_sight = elements.map(|element| (top_of(&element), element)).filter(|(top, _)| *top >= 0.0);
    let in_sight: Vec<_> = in_sight.take(KEPT_PLACES).collect();
    request_animation_frame(move || {
        if let Some((before, kept)) = in_sight.iter().find(|(_, element)| element.is_connected()) {
            window().scroll_by_with_x_and_y(0.0, top_of(kept) - before);
        }
    });
}
