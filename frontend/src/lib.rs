//! The WASM entry point: makes the page that the server rendered live.
//! Everything that is shown lives in `app`.

#[wasm_bindgen::prelude::wasm_bindgen]
pub fn make_live() {
    console_error_panic_hook::set_once();
    app::make_live();
}
