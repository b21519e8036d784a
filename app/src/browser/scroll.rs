//! Where in a view the reader is, and whether they come back to it.

use leptos::prelude::{document, request_animation_frame, window, window_event_listener_untyped};
use std::cell::Cell;
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

/// Elements in sight of which one is to stay when some of them go.
const KEPT_PLACES: usize = 20;

thread_local! {
    static GOES_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Notes for `goes_back` which way the reader goes. To be called before the router is made, which listens as well and
/// then loads what is gone back to.
pub(crate) fn watch_ways() {
    if cfg!(feature = "ssr") {
        return;
    }
    let _ = window_event_listener_untyped("popstate", |_| GOES_BACK.set(true));
    for begins_anew in ["pointerdown", "keydown"] {
        let _ = window_event_listener_untyped(begins_anew, |_| GOES_BACK.set(false));
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
