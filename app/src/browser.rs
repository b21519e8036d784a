//! What only a browser can tell or do: its clock and zone, its storage, whether the tab is seen, leaving the page.
//! Called from effects and event handlers alone, never while drawing.

use crate::paths;
use leptos::prelude::{document, window};
use protocol::Timestamp;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{HtmlElement, VisibilityState};

/// Where the last tab used is remembered for the next job opened.
const TAB_KEY: &str = "testarena.tab";

#[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
pub(crate) fn now() -> Timestamp {
    Timestamp(js_sys::Date::now() as i64)
}

/// Minutes that the reader's zone was east of UTC at that moment.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // minutes of a day; times far below 2^53
pub(crate) fn zone_offset_minutes(at: Timestamp) -> i64 {
    let date = js_sys::Date::new(&(at.0 as f64).into());
    -(date.get_timezone_offset() as i64)
}

pub(crate) fn is_hidden() -> bool {
    document().visibility_state() == VisibilityState::Hidden
}

/// Path and query in the address bar.
pub(crate) fn address() -> String {
    let location = window().location();
    location.pathname().unwrap_or_default() + &location.search().unwrap_or_default()
}

pub(crate) fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id).and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = element.focus();
    }
}

/// For tests and for style: from now on the page answers.
#[cfg(feature = "hydrate")]
pub(crate) fn mark_live() {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-hydrated", "true");
    }
}

/// The session has ended: signs in again and comes back to this view.
pub(crate) fn leave_for_login() {
    sign_in_for(&address());
}

/// Signs in and goes on to `next`. A new document: signing in is a plain form.
pub(crate) fn sign_in_for(next: &str) {
    let _ = window().location().assign(&paths::login(next));
}

/// Storage may be switched off; then nothing is remembered.
pub(crate) fn remember_tab(tab: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = storage.set_item(TAB_KEY, tab);
    }
}

pub(crate) fn remembered_tab() -> Option<String> {
    window().local_storage().ok()??.get_item(TAB_KEY).ok()?
}

/// For one wish of one user, so that its retry is known as such; no secret, hence no strong randomness.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 32 random bits
pub(crate) fn new_idempotency_key() -> String {
    let random = || (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
    format!("page-{:x}-{:08x}{:08x}", now().0, random(), random())
}
