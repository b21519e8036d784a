//! Which of a job's scenarios are listed, and in which order. What narrows the list is in the URL.

use super::outcome_filter::OutcomeFilter;
use super::view_state::{SCENARIOS, ViewState};
use crate::components::filter::{ChoiceFilter, TextFilter};
use crate::components::progress::OUTCOMES;
use crate::pages::narrowing;
use crate::paths::{self, Query};
use crate::poll::Clock;
use crate::words;
use leptos::prelude::*;
use protocol::api::{Task, TaskCounts};
use protocol::{JobId, JobStatus, TaskStatus, Timestamp};
use std::time::Duration;

/// Fewer are seen at a glance.
const WORTH_A_FILTER: u64 = 6;
/// From the shortest time on, in seconds, that is worth asking for.
const LONG_S: [u64; 4] = [10, 60, 600, 3_600];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    id: JobId,
    /// Whose log is open in the other tab.
    task: String,
    /// None: of any outcome.
    status: Option<TaskStatus>,
    /// In the scenario's name or in its message.
    text: String,
    /// What it took at least, in seconds.
    took_s: Option<u64>,
}

impl Listing {
    pub(super) fn of_query(id: JobId, query: &Query) -> Self {
        Self {
            id,
            task: query.text("task"),
            status: query.get_str("status").and_then(|word| word.parse().ok()),
            text: query.text("search"),
            took_s: query.get_str("took").and_then(|seconds| seconds.parse().ok()),
        }
    }

    /// Of the list itself.
    fn url(&self) -> String {
        self.url_of(SCENARIOS, &self.task)
    }

    /// Of one of the job's tabs, where a task's log is or would be open: the list stays narrow behind it.
    pub(super) fn url_of(&self, tab: &str, task: &str) -> String {
        let took = self.took_s.map(|seconds| seconds.to_string()).unwrap_or_default();
        let pairs = [
            ("tab", tab),
            ("task", task),
            ("status", self.status.map_or("", TaskStatus::as_str)),
            ("search", &self.text),
            ("took", &took),
        ];
        paths::with_query(&paths::job(self.id), &pairs)
    }

    fn is_narrow(&self) -> bool {
        !self.text.is_empty() || self.took_s.is_some()
    }

    /// `now` counts for what still runs.
    fn admits(&self, task: &Task, now: Option<Timestamp>) -> bool {
        let has = |text: &str| text.to_ascii_lowercase().contains(&self.text.to_ascii_lowercase());
        let took = || Some(task.finished_at.or(now)?.since(task.started_at?));
        self.status.is_none_or(|status| task.status == status)
            && (self.text.is_empty() || has(&task.scenario) || has(&task.message))
            && self.took_s.is_none_or(|least| took().is_some_and(|took| took >= Duration::from_secs(least)))
    }
}

/// Places of the tasks that are listed: as the job runs them, and once it has ended those first that did not pass.
pub(super) fn listed(tasks: Memo<Vec<Task>>, status: Memo<JobStatus>, listing: Memo<Listing>) -> Memo<Vec<usize>> {
    let clock = expect_context::<Clock>();
    Memo::new(move |_| {
        let (has_ended, listing) = (status.get().is_terminal(), listing.get());
        let now = if listing.took_s.is_some() && !has_ended { clock.now() } else { None };
        tasks.with(|tasks| {
            let mut listed: Vec<usize> = (0..tasks.len()).filter(|at| listing.admits(&tasks[*at], now)).collect();
            if has_ended {
                listed.sort_by_key(|at| OUTCOMES.iter().position(|status| *status == tasks[*at].status));
            }
            listed
        })
    })
}

#[component]
pub(super) fn Narrowing(state: ViewState, counts: Memo<TaskCounts>, listed: Memo<Vec<usize>>) -> impl IntoView {
    let listing = state.listing;
    let change = narrowing(listing, Listing::url);
    let only = Signal::derive(move || listing.with(|listing| listing.status));
    let choose = change(|listing, status| listing.status = status.parse().ok());
    let choose_only = Callback::new(move |status: Option<TaskStatus>| {
        choose.run(status.map_or_else(String::new, |status| status.as_str().to_owned()));
    });
    // Once there they stay, also where the words that a link brought are typed over.
    let is_long = Memo::new(move |was: Option<&bool>| {
        let (is_narrow, was) = (listing.with(Listing::is_narrow), was == Some(&true));
        was || is_narrow || counts.with(|counts| u64::from(counts.total) >= WORTH_A_FILTER)
    });
    let long =
        LONG_S.map(|seconds| (seconds.to_string(), format!("{} or longer", words::age(Duration::from_secs(seconds)))));
    let options = Signal::stored(long.to_vec());
    let fields = move || {
        is_long.get().then(|| {
            view! {
                <div class="filters">
                    <TextFilter name="scenarios" label="Filter" kind="text" hint="Scenario or message"
                        value=Signal::derive(move || listing.with(|listing| listing.text.clone()))
                        on_change=change(|listing, text| listing.text = text) />
                    <ChoiceFilter name="took" label="Took" options
                        value=Signal::derive(move || {
                            listing.with(|listing| listing.took_s.map(|seconds| seconds.to_string()).unwrap_or_default())
                        })
                        on_change=change(|listing, seconds| listing.took_s = seconds.parse().ok()) />
                </div>
            }
        })
    };
    let is_empty = Memo::new(move |_| listed.with(Vec::is_empty) && counts.with(|counts| counts.total > 0));
    view! {
        <OutcomeFilter counts only on_choose=choose_only />
        {fields}
        <p class="field-note" role="status">{move || is_empty.get().then_some("No scenario of this job is like that.")}</p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(text: &str, took_s: Option<u64>) -> Listing {
        Listing { id: JobId(42), task: String::new(), status: None, text: text.to_owned(), took_s }
    }

    #[test]
    fn what_narrows_the_list_is_in_the_url() {
        let narrow = Listing { status: Some(TaskStatus::Failed), ..listing("no link", Some(60)) };
        assert_eq!(narrow.url(), "/jobs/42?tab=scenarios&status=failed&search=no%20link&took=60");
        assert_eq!(narrow.url_of("logs", "42-1"), "/jobs/42?tab=logs&task=42-1&status=failed&search=no%20link&took=60");
        assert_eq!(listing("", None).url(), "/jobs/42?tab=scenarios");
    }
}
