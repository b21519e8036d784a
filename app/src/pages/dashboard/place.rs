//! Where in the list one was: who looks at a job and goes back finds it again. Kept as long as the tab is open, through a
//! reload of the job's page as well.

use super::filters;
use crate::browser;
use crate::client::JobQuery;
use crate::poll::Live;
use leptos::prelude::*;
use protocol::api::JobList;

/// Of the list that was left last: how many jobs were listed, pixels from the top of the page, and its address.
const KEY: &str = "testarena.place";

#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Jobs that were listed.
    pub(super) count: usize,
    top: u32,
}

/// Where this list was left, when one goes back to it.
pub(super) fn remembered(query: &JobQuery) -> Option<Place> {
    if cfg!(feature = "ssr") || !browser::goes_back() {
        return None;
    }
    let kept = browser::session_item(KEY)?;
    let mut parts = kept.splitn(3, ' ');
    let (count, top) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next()? == filters::url(query)).then_some(Place { count, top })
}

/// Goes there, and remembers where one is when one leaves.
pub(super) fn keep(query: JobQuery, list: Live<JobList>) {
    let place = remembered(&query);
    // Noted while one scrolls: when the list goes, a shorter view has moved the page already.
    let top = StoredValue::new(0.0);
    Effect::new(move |_| {
        if let Some(place) = place {
            browser::scroll_soon_to(place.top.into());
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
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // pixels of a page
        let top = top.try_get_value().unwrap_or_default().round() as u32;
        browser::set_session_item(KEY, Some(&format!("{count} {top} {}", filters::url(&query))));
    });
}
