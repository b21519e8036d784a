//! How large something is shown, whatever makes it another size: the window, a banner above it, a list beside it.

use leptos::prelude::StoredValue;
use web_sys::wasm_bindgen::JsCast;
use web_sys::wasm_bindgen::closure::Closure;
use web_sys::{Element, ResizeObserver};

struct Watch {
    observer: ResizeObserver,
    /// What the observer calls, for as long as it may.
    _call: Closure<dyn FnMut()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

/// Calls at first and after each change, until what it is called in (an effect, a view) is left.
pub(crate) fn watch_size(element: &Element, resized: impl FnMut() + 'static) {
    let call = Closure::<dyn FnMut()>::new(resized);
    if let Ok(observer) = ResizeObserver::new(call.as_ref().unchecked_ref()) {
        observer.observe(element);
        StoredValue::new_local(Watch { observer, _call: call });
    }
}
