//! Where in its line a match stands: marked by the browser, as it marks what it finds itself, and scrolled to.
//! A line may be longer than the screen is wide, and its text lies in several elements, one for each colour.

use js_sys::{Array, Function, JsString, Object, Reflect};
use leptos::prelude::*;
use web_sys::wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Range};

/// Of the marks in the style sheet: `::highlight(match)`.
const MARK: &str = "match";
/// Left of a match that has been scrolled to, so that one sees what it belongs to.
const BEFORE_PX: f64 = 120.0;

/// Marks the first place in a drawn line where the words stand, and scrolls to it where it is out of sight.
pub(crate) fn mark(scroller: &Element, line: u64, words: &str) {
    let Ok(Some(text)) = scroller.query_selector(&format!("[data-line=\"{line}\"] .log-text")) else { return };
    let Some(range) = find(&text, words) else { return };
    // An old browser has no marks of this kind; it has scrolled all the same.
    let _ = highlight(&range);
    let (window, place) = (scroller.get_bounding_client_rect(), range.get_bounding_client_rect());
    // The numbers stay where they are, above the text.
    let numbers = text.previous_element_sibling().map_or(0.0, |number| number.get_bounding_client_rect().width());
    let left = window.left() + numbers;
    if place.left() < left || place.right() > window.right() {
        scroller.scroll_by_with_x_and_y(place.left() - left - BEFORE_PX, 0.0);
    }
}

/// No place is marked any more. Also where a view ends that was drawn by the server, which marks none.
pub(crate) fn unmark() {
    if cfg!(feature = "ssr") {
        return;
    }
    let _ = marks().and_then(|marks| Reflect::get(&marks, &"clear".into())?.dyn_into::<Function>()?.call0(&marks));
}

/// Capital letters or small ones, as the server finds them. The browser knows all letters; so need not we.
fn find(text: &Element, words: &str) -> Option<Range> {
    let whole = JsString::from(text.text_content()?).to_lower_case();
    let wanted = JsString::from(words).to_lower_case();
    let start = u32::try_from(whole.index_of(&String::from(&wanted), 0)).ok()?;
    let range = document().create_range().ok()?;
    let (mut begins, spans) = (0, text.children());
    for at in 0..spans.length() {
        let Some(node) = spans.item(at).and_then(|span| span.first_child()) else { continue };
        let ends = begins + JsString::from(node.text_content()?).length();
        if (begins..ends).contains(&start) {
            range.set_start(&node, start - begins).ok()?;
        }
        let end = start + wanted.length();
        if (begins + 1..=ends).contains(&end) {
            range.set_end(&node, end - begins).ok()?;
            return Some(range);
        }
        begins = ends;
    }
    None
}

fn highlight(range: &Range) -> Result<(), JsValue> {
    let make: Function = Reflect::get(&window(), &"Highlight".into())?.dyn_into()?;
    let mark = Reflect::construct(&make, &Array::of1(range))?;
    let marks = marks()?;
    let set: Function = Reflect::get(&marks, &"set".into())?.dyn_into()?;
    set.call2(&marks, &MARK.into(), &mark).map(drop)
}

fn marks() -> Result<Object, JsValue> {
    Reflect::get(&Reflect::get(&window(), &"CSS".into())?, &"highlights".into())?.dyn_into()
}
