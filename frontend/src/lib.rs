//! The WASM entry point: makes the page that the server rendered live.
//! Everything that is shown lives in `app`.

// The type of a view nests as deep as its elements do.
#![recursion_limit = "256"]

#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
}
