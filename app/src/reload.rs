//! What a page was opened with and loads anew: when what it depends on changes, or when somebody asks again.
//! What is there stays until the new has come, and only the latest question counts.

use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;
use std::pin::Pin;

/// How many are under way, for the frame to show.
#[derive(Clone, Copy)]
pub(crate) struct UnderWay(RwSignal<u32>);

impl UnderWay {
    pub(crate) fn provide() -> Self {
        let under_way = Self(RwSignal::new(0));
        provide_context(under_way);
        under_way
    }

    pub(crate) fn is_any(self) -> bool {
        self.0.get() > 0
    }

    fn begin(self) -> Begun {
        self.0.update(|count| *count += 1);
        Begun(self)
    }
}

/// Over when it is dropped: a question that another one follows, or whose view is left, never ends.
struct Begun(UnderWay);

impl Drop for Begun {
    fn drop(&mut self) {
        let Self(UnderWay(count)) = self;
        let _ = count.try_update(|count| *count -= 1);
    }
}

pub(crate) struct Reload<T: Send + Sync + 'static> {
    pub(crate) value: RwSignal<T>,
    pub(crate) again: Callback<()>,
}

/// Starts as `seed`, which belongs to the present `key`.
pub(crate) fn reload<K, T, Loading>(key: Memo<K>, seed: T, load: impl Fn(K) -> Loading + 'static) -> Reload<T>
where
    K: Clone + PartialEq + Send + Sync + 'static,
    T: Send + Sync + 'static,
    Loading: Future<Output = T> + 'static,
{
    let value = RwSignal::new(seed);
    let asked = RwSignal::new(());
    when_asked(Box::new(move |is_first| {
        asked.track();
        let key = key.get();
        if is_first {
            return None;
        }
        let loading = load(key);
        Some(Box::pin(async move { value.set(loading.await) }))
    }));
    Reload { value, again: Callback::new(move |()| asked.set(())) }
}

/// Told whether what there is at first still holds; none then. What it reads is what is loaded anew for.
type Asking = Box<dyn Fn(bool) -> Option<Pin<Box<dyn Future<Output = ()>>>>>;

/// The same for whatever is loaded, so that it is in the page once.
fn when_asked(ask: Asking) {
    let under_way = expect_context::<UnderWay>();
    let mut is_first = true;
    Effect::new(move |_| {
        if let Some(loading) = ask(std::mem::replace(&mut is_first, false)) {
            let begun = under_way.begin();
            spawn_local_scoped_with_cancellation(async move {
                loading.await;
                drop(begun);
            });
        }
    });
}

/// For what the browser asks by itself once the page is live, since the page can be read without it: the latest answer
/// to `ask`, which is called again when what it reads changes; until then the default.
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
