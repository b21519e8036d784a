//! What the browser asks for by itself once the page is live. An effect and no resource: a resource of the browser's
//! alone makes the server draw the whole boundary around it as loading, which is not what the browser expects there.

use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;

/// The latest answer to `ask`, which is called again when what it reads changes; until then the default.
pub(crate) fn later<T, Asking>(ask: impl Fn() -> Option<Asking> + 'static) -> Signal<T>
where
    T: Clone + Default + Send + Sync + 'static,
    Asking: Future<Output = T> + 'static,
{
    let value = RwSignal::new(T::default());
    Effect::new(move |_| {
        if let Some(asking) = ask() {
            spawn_local_scoped_with_cancellation(async move { value.set(asking.await) });
        }
    });
    value.into()
}
