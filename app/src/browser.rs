//! What only a browser can tell or do: its clock and zone, its storage, whether the tab is seen, leaving the page.
//! Called from effects and event handlers alone, never while drawing.

#[cfg(not(feature = "ssr"))]
use crate::paths;
use crate::preferences::ZONE;
use js_sys::Reflect;
use leptos::prelude::{Effect, document, window};
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

/// From 0 to 1.
pub(crate) fn random() -> f64 {
    js_sys::Math::random()
}

pub(crate) fn is_hidden() -> bool {
    document().visibility_state() == VisibilityState::Hidden
}

/// For a year; without a value it is forgotten.
pub(crate) fn set_cookie(name: &str, value: Option<&str>) {
    let secure =
        if window().location().protocol().is_ok_and(|protocol| protocol == "https:") { "; Secure" } else { "" };
    let age = if value.is_some() { 365 * 24 * 60 * 60 } else { 0 };
    let cookie = format!("{name}={}; Path=/; Max-Age={age}; SameSite=Lax{secure}", value.unwrap_or_default());
    let _ = Reflect::set(&document(), &"cookie".into(), &cookie.into());
}

/// So that the server's next page tells the reader's own time.
pub(crate) fn remember_zone() {
    Effect::new(|_| set_cookie(ZONE, Some(&zone_offset_minutes(now()).to_string())));
}

/// Of the document's root; without a value it is taken away.
pub(crate) fn set_root_attribute(name: &str, value: Option<&str>) {
    let Some(root) = document().document_element() else { return };
    let _ = match value {
        Some(value) => root.set_attribute(name, value),
        None => root.remove_attribute(name),
    };
}

/// The search of the view, else the header's.
pub(crate) fn focus_search() {
    let found = document().query_selector("main input[type=search], header input[type=search]");
    if let Ok(Some(field)) = found {
        let _ = field.unchecked_into::<HtmlElement>().focus();
    }
}

#[cfg(feature = "hydrate")]
pub(crate) fn reveal(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let _ = element.remove_attribute("hidden");
    }
}

/// What the page's script was loaded from.
pub(crate) fn own_script() -> Option<String> {
    document().query_selector("link[rel=modulepreload]").ok()??.get_attribute("href")
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

/// Signs in and goes on to `next`. A new document: signing in is a plain form.
#[cfg(not(feature = "ssr"))]
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
    let random = || (random() * f64::from(u32::MAX)) as u32;
    format!("page-{:x}-{:08x}{:08x}", now().0, random(), random())
}
