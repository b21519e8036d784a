//! What a page says through the HTTP answer that carries it: that it is elsewhere, or not there at all.
//! In the browser there is no such answer any more; then going elsewhere is a navigation and the rest is nothing.

#[cfg(feature = "ssr")]
use axum::http::{HeaderValue, StatusCode, header::LOCATION};
#[cfg(feature = "ssr")]
use leptos::prelude::use_context;
#[cfg(feature = "ssr")]
use leptos_axum::ResponseOptions;

#[cfg(feature = "ssr")]
pub(crate) fn see_other(path: &str) {
    if let (Some(response), Ok(location)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(path)) {
        response.set_status(StatusCode::SEE_OTHER);
        response.insert_header(LOCATION, location);
    }
}

#[cfg(not(feature = "ssr"))]
pub(crate) fn see_other(path: &str) {
    let _ = leptos::prelude::window().location().assign(path);
}

#[cfg(feature = "ssr")]
pub(crate) fn status(code: u16) {
    if let (Some(response), Ok(code)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(code)) {
        response.set_status(code);
    }
}

#[cfg(not(feature = "ssr"))]
pub(crate) const fn status(_code: u16) {}
