//! Where in the list one was: who looks at a job and goes back finds it again. Kept while the page is open.

use crate::browser;
use crate::client::JobQuery;
use crate::poll::Live;
use leptos::prelude::*;
use protocol::api::JobList;
use std::cell::RefCell;

#[derive(Clone)]
pub(super) struct Place {
    query: JobQuery,
    /// Jobs that were listed.
    pub(super) count: usize,
    /// Pixels from the top of the page.
    top: f64,
}

thread_local! {
    /// Of the list that was left last.
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Where this list was left, when one goes back to it.
pub(super) fn remembered(query: &JobQuery) -> Option<Place> {
    if cfg!(feature = "ssr") || !browser::goes_back() {
        return None;
    }
    PLACE.with_borrow(|place| place.clone().filter(|place| place.query == *query))
}

/// Goes there, and remembers where one is when one leaves.
pub(super) fn keep(query: JobQuery, list: Live<JobList>) {
    let place = remembered(&query);
    // Noted while one scrolls: when the list goes, a shorter view has moved the page already.
    let top = StoredValue::new(0.0);
    Effect::new(move |_| {
        if let Some(place) = &place {
            browser::scroll_soon_to(place.top);
        }
        top.set_value(browser::scroll_top());
        let scrolled = window_event_listener_untyped("scroll", move |_| top.set_value(browser::scroll_top()));
        on_cleanup(move || scrolled.remove());
    });
    on_cleanup(move || {
        if cfg!(feature = "ssr") {
            return;
        }
        let count = list.value.try_with_untracked(|list| list.jobs.len()).unwrap_or_default();
        PLACE.set(Some(Place { query: query.clone(), count, top: top.try_get_value().unwrap_or_default() }));
    });
}
