//! Where the keyboard goes on.

use leptos::prelude::document;
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

/// The search of the view, else the header's.
pub(crate) fn focus_search() {
    let found = document().query_selector("main input[type=search], header input[type=search]");
    if let Ok(Some(field)) = found {
        let _ = field.unchecked_into::<HtmlElement>().focus();
    }
}

/// The first element that the selector names.
pub(crate) fn focus_first(selector: &str) {
    if let Ok(Some(element)) = document().query_selector(selector) {
        let _ = element.unchecked_into::<HtmlElement>().focus();
    }
}

/// To that element, where nothing else has the focus any more.
pub(crate) fn focus_if_lost(id: &str) {
    if document().active_element().is_none_or(|focused| focused.tag_name() == "BODY") {
        focus(id);
    }
}

pub(crate) fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id).and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus();
    }
}
