//! What only a browser can tell or do: its clock and zone, its storage, whether the tab is seen, leaving the page.
//! Called from effects and event handlers alone, never while drawing.

#[cfg(not(feature = "ssr"))]
use crate::paths;
#[cfg(not(feature = "ssr"))]
use crate::preferences::ZONE;
#[cfg(not(feature = "ssr"))]
use crate::zone::Zone;
use js_sys::Reflect;
#[cfg(not(feature = "ssr"))]
use leptos::prelude::window_event_listener_untyped;
use leptos::prelude::{Effect, Get, Memo, document, on_cleanup, request_animation_frame, window};
use protocol::{JobStatus, Timestamp};
use std::cell::Cell;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{HtmlElement, VisibilityState};

/// Of every view that has none of its own.
const ICON: &str = "/favicon.svg";
const RECENT_KEY: &str = "testarena.branches";
const RECENT: usize = 5;

/// What the browser's clock is off by, in milliseconds, that it is worth to be minded: the server tells whole seconds,
/// and an answer is under way for a while.
#[cfg(not(feature = "ssr"))]
const WORTH_MINDING_MS: i64 = 2_000;

/// The longest that a page may be on its way until it is live, and not be thought of as a clock that is off.
#[cfg(not(feature = "ssr"))]
const WAY_MS: i64 = 60_000;

thread_local! {
    /// To be added to the browser's clock to have the server's.
    static BEHIND_MS: Cell<i64> = const { Cell::new(0) };
}

/// By the server's clock, as far as it is known: a reader's own may be an hour off.
pub(crate) fn now() -> Timestamp {
    Timestamp(own_now() + BEHIND_MS.get())
}

#[allow(clippy::cast_possible_truncation)] // whole milliseconds, far below 2^53
fn own_now() -> i64 {
    js_sys::Date::now() as i64
}

/// What time it is at the server, as its latest answer said.
#[cfg(not(feature = "ssr"))]
pub(crate) fn set_clock(server: Timestamp) {
    let behind = server.0 - own_now();
    if (behind - BEHIND_MS.get()).abs() > WORTH_MINDING_MS {
        BEHIND_MS.set(behind);
    }
}

/// What time it was there when the page was drawn, which took its way since.
#[cfg(not(feature = "ssr"))]
pub(crate) fn set_clock_roughly(drawn: Timestamp) {
    if (drawn.0 - own_now()).abs() > WAY_MS {
        set_clock(drawn);
    }
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
#[cfg(not(feature = "ssr"))]
pub(crate) fn remember_zone() {
    Effect::new(|_| {
        let zone = Zone::around(now(), |minutes| zone_offset_minutes(Timestamp(minutes * 60_000)));
        set_cookie(ZONE, Some(&zone.to_cookie()));
    });
}

#[cfg(feature = "ssr")]
pub(crate) const fn remember_zone() {}

/// Of the document's root; without a value it is taken away.
pub(crate) fn set_root_attribute(name: &str, value: Option<&str>) {
    let Some(root) = document().document_element() else { return };
    let _ = match value {
        Some(value) => root.set_attribute(name, value),
        None => root.remove_attribute(name),
    };
}

/// The tab's icon shows how the job is, as long as its view is there.
pub(crate) fn show_status(status: Memo<JobStatus>) {
    Effect::new(move |_| set_icon(&icon_of(status.get())));
    on_cleanup(|| {
        if cfg!(not(feature = "ssr")) {
            set_icon(ICON);
        }
    });
}

fn set_icon(address: &str) {
    if let Ok(Some(link)) = document().query_selector("link[rel=icon]") {
        let _ = link.set_attribute("href", address);
    }
}

/// The mark with a spot in the status' colour, which every tab strip is light or dark enough for.
fn icon_of(status: JobStatus) -> String {
    let (colour, shape) = match status {
        JobStatus::Waiting => ("8a909c", "M16 11v5l3 2"),
        JobStatus::InProgress => ("2f7de1", "M14 12l5 4-5 4z"),
        JobStatus::Passed => ("2f9e58", "M12.5 16l2.5 2.5 4.5-5"),
        JobStatus::Failed => ("c02f2f", "M13 13l6 6m0-6-6 6"),
        JobStatus::Error => ("c77a00", "M16 11.5v5m0 3v.1"),
        JobStatus::Aborted => ("8a3fb0", "M12.5 16h7"),
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
         %3Ccircle cx='16' cy='16' r='15' fill='%23{colour}'/%3E\
         %3Cpath transform='matrix(2 0 0 2 -16 -16)' d='{shape}' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E"
    )
}

/// Elements in sight of which one is to stay when some of them go.
const KEPT_PLACES: usize = 20;

thread_local! {
    static GOES_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Notes for `goes_back` which way the reader goes. To be called before the router is made, which listens as well and
/// then loads what is gone back to.
#[cfg(not(feature = "ssr"))]
pub(crate) fn watch_ways() {
    let _ = window_event_listener_untyped("popstate", |_| GOES_BACK.set(true));
    for begins_anew in ["pointerdown", "keydown"] {
        let _ = window_event_listener_untyped(begins_anew, |_| GOES_BACK.set(false));
    }
}

#[cfg(feature = "ssr")]
pub(crate) const fn watch_ways() {}

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

/// Kept as long as the tab is open.
pub(crate) fn session_item(key: &str) -> Option<String> {
    window().session_storage().ok()??.get_item(key).ok()?
}

/// Without a value it is forgotten.
pub(crate) fn set_session_item(key: &str, value: Option<&str>) {
    let Ok(Some(storage)) = window().session_storage() else { return };
    let _ = match value {
        Some(value) => storage.set_item(key, value),
        None => storage.remove_item(key),
    };
}

/// What one user began or was offered again is nothing for the next.
pub(crate) fn forget_user() {
    for storage in [window().session_storage(), window().local_storage()].into_iter().flatten().flatten() {
        let keys = (0..storage.length().unwrap_or(0)).filter_map(|at| storage.key(at).ok()?);
        // Other programs may stand behind the same host.
        let ours: Vec<String> = keys.filter(|key| key.starts_with("testarena.")).collect();
        for key in ours {
            let _ = storage.remove_item(&key);
        }
    }
}

/// The branches that were validated last, the latest first.
pub(crate) fn recent_branches() -> Vec<String> {
    let kept = || window().local_storage().ok()??.get_item(RECENT_KEY).ok()?;
    kept().unwrap_or_default().lines().map(str::to_owned).collect()
}

pub(crate) fn remember_branch(branch: &str) {
    let others = recent_branches().into_iter().filter(|other| other != branch).take(RECENT - 1);
    let kept: Vec<String> = std::iter::once(branch.to_owned()).chain(others).collect();
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = storage.set_item(RECENT_KEY, &kept.join("\n"));
    }
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

/// For one wish of one user, so that its retry is known as such; no secret, hence no strong randomness.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 32 random bits
pub(crate) fn new_idempotency_key() -> String {
    let random = || (random() * f64::from(u32::MAX)) as u32;
    format!("page-{:x}-{:08x}{:08x}", now().0, random(), random())
}
