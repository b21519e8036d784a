//! The WASM entry point: makes the page that the server rendered live.
//! Everything that is shown lives in `app`.

#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn make_live() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        app::tell_broken();
    }));
    app::make_live().await;
}
