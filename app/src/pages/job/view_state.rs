//! Which tab and which log are shown: in the URL, so that reload, back and a link to a colleague keep them.
//! The last tab used is also remembered for the next job that is opened.

use super::listing::Listing;
use crate::client::LogOf;
use crate::components::tabs::Tab;
use crate::paths::{self, Query};
pub(super) use crate::preferences::LOGS;
use crate::preferences::OpensLogs;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use protocol::JobId;

pub(super) const SCENARIOS: &str = "scenarios";
pub(super) const TABS: &[Tab] = &[Tab { key: SCENARIOS, label: "Scenarios" }, Tab { key: LOGS, label: "Logs" }];

#[derive(Clone, Copy)]
pub(super) struct ViewState {
    pub(super) tab: Memo<&'static str>,
    /// The task whose log is open; none for the queue's own.
    pub(super) task: Signal<Option<String>>,
    /// Which scenarios are listed.
    pub(super) listing: Memo<Listing>,
    /// The result file that is shown in place of the log.
    pub(super) file: Signal<Option<String>>,
    /// Where a task's result file is shown.
    pub(super) file_href: Callback<(String, String), String>,
    pub(super) tab_hrefs: Signal<Vec<String>>,
    /// Where a task's log is shown; the queue's own for an empty id.
    pub(super) log_href: Callback<String, String>,
}

impl ViewState {
    pub(super) fn of_url(id: JobId, tab: Memo<&'static str>) -> Self {
        let query = Query::of_path(move || paths::job(id));
        let asked = Memo::new(move |_| query.with(asked_tab));
        let task = Memo::new(move |_| query.with(task_of));
        let listing = Memo::new(move |_| query.with(|query| Listing::of_query(id, query)));
        let file = Memo::new(move |_| query.with(|query| query.get_str("file").map(str::to_owned)));
        let navigate = use_navigate();
        let go = Callback::new(move |url: String| {
            navigate(&url, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
        });
        let pathname = use_location().pathname;
        let last = expect_context::<OpensLogs>();
        Effect::new(move |_| {
            if let Some(tab) = asked.get() {
                return last.remember(tab);
            }
            // The tab that a job was opened with is in the URL as well. On the way to another view the URL is no longer
            // this job's, and its effects not yet gone.
            if tab.get_untracked() == LOGS && pathname.get_untracked() == paths::job(id) {
                let task = task.get_untracked().unwrap_or_default();
                let url = listing.with_untracked(|listing| listing.url_of(LOGS, &task));
                once_there(id, pathname, move || go.run(url));
            }
        });
        Self {
            tab,
            task: task.into(),
            listing,
            file: file.into(),
            file_href: Callback::new(move |(task, file): (String, String)| {
                // The job may have been left while its files were listed.
                let log = listing.try_with_untracked(|listing| listing.url_of(LOGS, &task)).unwrap_or_default();
                format!("{log}&file={}", paths::encode(&file))
            }),
            tab_hrefs: Signal::derive(move || {
                let task = task.get().unwrap_or_default();
                listing.with(|listing| [SCENARIOS, LOGS].map(|tab| listing.url_of(tab, &task)).to_vec())
            }),
            log_href: Callback::new(move |task: String| listing.with(|listing| listing.url_of(LOGS, &task))),
        }
    }
}

/// The tab of the job that is shown: what the URL asks for. A job that was opened without asking for one shows the one
/// used last; who goes back to it wants the one that was there.
pub(super) fn tab_of_url(id: Memo<Option<JobId>>, query: Memo<Query>) -> Memo<&'static str> {
    let last = expect_context::<OpensLogs>();
    let opened_with = Memo::new(move |_| {
        let _ = id.get();
        query.with_untracked(|query| if asked_tab(query).is_some() { SCENARIOS } else { first_tab(query, last) })
    });
    Memo::new(move |_| {
        let opened_with = opened_with.get();
        query.with(asked_tab).unwrap_or(opened_with)
    })
}

/// Of a job that is being opened.
pub(super) fn first_tab(query: &Query, last: OpensLogs) -> &'static str {
    asked_tab(query).unwrap_or(if last.get() { LOGS } else { SCENARIOS })
}

fn asked_tab(query: &Query) -> Option<&'static str> {
    query.get_str("tab").and_then(known_tab)
}

fn task_of(query: &Query) -> Option<String> {
    query.get_str("task").filter(|task| !task.is_empty()).map(str::to_owned)
}

/// The log that the URL asks for, while the tab with the logs is shown.
pub(super) fn open_log(id: Option<JobId>, tab: &str, query: &Query) -> Option<LogOf> {
    (tab == LOGS).then_some(LogOf { job: id?, task: task_of(query) })
}

/// Not before the way to the job stands in the browser's history: a replacement that comes earlier takes its place, and with
/// it that of the view before.
fn once_there(id: JobId, pathname: Memo<String>, then: impl FnOnce() + 'static) {
    let job = paths::job(id);
    if window().location().pathname().is_ok_and(|there| there == job) {
        then();
    } else if pathname.try_get_untracked().is_some_and(|wanted| wanted == job) {
        request_animation_frame(move || once_there(id, pathname, then));
    }
}

fn known_tab(name: &str) -> Option<&'static str> {
    TABS.iter().map(|tab| tab.key).find(|key| *key == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_tab_is_none() {
        assert_eq!((known_tab("logs"), known_tab("results")), (Some(LOGS), None));
    }
}
