//! What only a browser can tell or do. Called from effects and event handlers, never while drawing; what the application
//! itself begins with (`remember_zone`, `watch_ways`) does nothing on the server.

#[cfg(not(feature = "ssr"))]
use crate::paths;
#[cfg(not(feature = "ssr"))]
use js_sys::Reflect;
use leptos::prelude::{document, window};
use web_sys::VisibilityState;
#[cfg(not(feature = "ssr"))]
use web_sys::wasm_bindgen::JsCast;

mod clock;
mod focus;
mod scroll;
mod size;
mod storage;

pub(crate) use clock::{now, remember_zone, zone_offset_minutes};
#[cfg(not(feature = "ssr"))]
pub(crate) use clock::{set_clock, set_clock_roughly};
pub(crate) use focus::{focus, focus_first, focus_if_lost, focus_search, has_dialog};
#[cfg(not(feature = "ssr"))]
pub(crate) use scroll::scroll_to_left;
pub(crate) use scroll::{goes_back, keep_place, scroll_soon_to, scroll_top, watch_ways};
pub(crate) use size::watch_size;
pub(crate) use storage::{
    forget_user, keep_only_of, recent_branches, remember_branch, session_item, set_cookie, set_session_item,
};

/// From 0 to 1.
pub(crate) fn random() -> f64 {
    js_sys::Math::random()
}

pub(crate) fn is_hidden() -> bool {
    document().visibility_state() == VisibilityState::Hidden
}

/// Of the document's root; without a value it is taken away.
pub(crate) fn set_root_attribute(name: &str, value: Option<&str>) {
    let Some(root) = document().document_element() else { return };
    let _ = match value {
        Some(value) => root.set_attribute(name, value),
        None => root.remove_attribute(name),
    };
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

/// As a document of its own: all is asked and drawn anew.
pub(crate) fn go(to: &str) {
    let _ = window().location().assign(to);
}

/// Whether that was let be: not on an address without TLS, nor against the reader's settings.
#[cfg(not(feature = "ssr"))]
pub(crate) async fn copy(text: &str) -> bool {
    let written = || {
        let navigator = Reflect::get(&window(), &"navigator".into())?;
        let clipboard = Reflect::get(&navigator, &"clipboard".into())?;
        let write = Reflect::get(&clipboard, &"writeText".into())?.dyn_into::<js_sys::Function>()?;
        write.call1(&clipboard, &text.into())?.dyn_into::<js_sys::Promise>()
    };
    match written() {
        Ok(writing) => wasm_bindgen_futures::JsFuture::from(writing).await.is_ok(),
        Err(_) => false,
    }
}

#[cfg(feature = "ssr")]
#[expect(clippy::unused_async, reason = "it waits in the browser")]
pub(crate) async fn copy(_text: &str) -> bool {
    false
}
