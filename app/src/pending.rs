//! Something that a person asked for and that is under way: one at a time, and seen to be.

use leptos::prelude::*;
use leptos::task::spawn_local;

#[derive(Clone, Copy)]
pub(crate) struct Pending(RwSignal<bool>);

impl Pending {
    pub(crate) fn new() -> Self {
        Self(RwSignal::new(false))
    }

    pub(crate) fn get(self) -> bool {
        self.0.get()
    }

    /// For `aria-disabled`, which keeps the focus where `disabled` would lose it.
    pub(crate) fn as_aria(self) -> &'static str {
        if self.get() { "true" } else { "false" }
    }

    /// Does nothing while the last one is still under way, which its `get` tells. Goes on when the view is left: what was asked for is wanted.
    pub(crate) fn run(self, work: impl Future<Output = ()> + 'static) {
        if self.0.get_untracked() {
            return;
        }
        self.0.set(true);
        spawn_local(async move {
            work.await;
            // The view may have been left meanwhile.
            let _ = self.0.try_set(false);
        });
    }
}

/// Tells in `note` what is under way, until it has ended. What another one tells there meanwhile stays.
pub(crate) async fn telling<T>(note: RwSignal<Option<String>>, words: String, work: impl Future<Output = T>) -> T {
    note.set(Some(words.clone()));
    let done = work.await;
    // The view may have been left meanwhile.
    let _ = note.try_update(|note| note.take_if(|now| *now == words));
    done
}
