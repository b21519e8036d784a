//! Where the keyboard goes on.

use crate::paths;
use leptos::prelude::document;
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

/// The search of the view, else the header's; where there is no room for that, to the view that has one.
pub(crate) fn focus_search() {
    let found = document().query_selector("main input[type=search], header input[type=search]");
    let Ok(Some(field)) = found else { return };
    let field: HtmlElement = field.unchecked_into();
    if field.offset_width() == 0 {
        return super::go(paths::HOME);
    }
    let _ = field.focus();
}

/// Whether something is asked that has to be answered first.
pub(crate) fn has_dialog() -> bool {
    document().query_selector("dialog[open]").is_ok_and(|found| found.is_some())
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
