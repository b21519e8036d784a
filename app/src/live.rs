//! The browser's side of a view: takes over what the server drew. The same questions are asked as there, and answered
//! from the document, so that both draw the same.

use crate::boxed::spawn;
use crate::opening::{self, Opening};
use crate::url::Url;
use crate::{app, browser, transport};
use any_spawner::Executor;
use leptos::prelude::*;
use leptos::tachys::dom::body;
use leptos::tachys::hydration::Cursor;
use leptos::tachys::view::PositionState;
use web_sys::wasm_bindgen::JsCast;

pub fn make_live() {
    // Fails when it has been done before, which is as good.
    let _ = Executor::init_wasm_bindgen();
    spawn(async {
        let url = Url::parse(&browser::address());
        transport::take_over_answers();
        match opening::open(&url).await {
            None => browser::leave_for_login(),
            Some(Opening { session, page }) => {
                let owner = Owner::new_root(None);
                let state = owner.with(|| {
                    let cursor = Cursor::new(body().unchecked_into());
                    app(session, page, url).hydrate::<true>(&cursor, &PositionState::default())
                });
                // Both live as long as the document.
                std::mem::forget((owner, state));
                browser::mark_live();
            }
        }
    });
}
