//! From page to page: what the next one shows is loaded before it takes the place of the one that is there, so that no
//! view is ever empty. Of two ways taken in a row the later one counts.

use crate::boxed::{effect, spawn};
use crate::browser;
use crate::navigation::{Entry, Navigation, Way};
use crate::pages::{self, Page};
use leptos::prelude::*;

/// The page that is shown, `first` to begin with.
pub(crate) fn follow(navigation: Navigation, first: Page) -> RwSignal<Page> {
    let page = RwSignal::new(first);
    effect(move || {
        if let Some(way) = navigation.under_way.get() {
            spawn(take(way, navigation, page));
        }
    });
    page
}

async fn take(way: Way, navigation: Navigation, page: RwSignal<Page>) {
    let loaded = pages::load(&way.to).await;
    let is_overtaken = navigation.under_way.with_untracked(|under_way| under_way.as_ref() != Some(&way));
    if is_overtaken {
        return;
    }
    if loaded.needs_sign_in() {
        navigation.under_way.set(None);
        return browser::sign_in_for(&way.to.to_text());
    }
    let entry = way.entry;
    navigation.end(way);
    page.set(loaded);
    begin(entry);
}

/// As a page that is loaded would: from its top, and a keyboard or a screen reader starts over at the content.
fn begin(entry: Entry) {
    if entry != Entry::Known {
        window().scroll_to_with_x_and_y(0.0, 0.0);
    }
    browser::focus("main");
}
