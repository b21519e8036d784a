//! The scenarios of two jobs in groups, what needs a look first; what is as it was stands folded at the end.

use crate::components::rows::Rows;
use crate::components::status_badge::TaskStatusBadge;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::api::{Change, ComparedScenario, Comparison};
use protocol::{JobId, TaskStatus};

/// In the order in which one looks.
const GROUPS: [Change; 5] = [Change::NewlyFailed, Change::StillFailing, Change::Fixed, Change::OnlyA, Change::OnlyB];

#[component]
pub(super) fn Changes(
    /// The jobs, before and after.
    ids: (JobId, JobId),
    /// Environment and branch whose histories the scenarios lead to.
    place: (String, String),
    both: RwSignal<Comparison>,
) -> impl IntoView {
    let place = StoredValue::new(place);
    let count = move |change| both.with(|both| count(&both.scenarios, change));
    let has_changed = Memo::new(move |_| GROUPS.into_iter().any(|change| count(change) > 0));
    let has_same = Memo::new(move |_| count(Change::Same) > 0);
    let table = move |label, groups: &'static [Change]| view! { <ChangeTable label ids place groups both /> };
    // Only what the reader did; until then as it is best.
    let opened = RwSignal::new(None::<bool>);
    let is_open = move || opened.get().unwrap_or(!has_changed.get());
    // Drawn, not left to the browser, so that the next answer finds it as the reader left it.
    let turn = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        opened.set(Some(!is_open()));
    };
    let same = move || format!("{} as before", words::plural(count(Change::Same) as u64, "scenario"));
    view! {
        <p class="changes-told">{move || both.with(|both| summary(&both.scenarios))}</p>
        {move || has_changed.get().then(|| table("Changes", &GROUPS))}
        {move || {
            has_same.get().then(|| {
                view! {
                    <details class="fold" open=is_open>
                        <summary on:click=turn>{same}</summary>
                        {table("Unchanged", &[Change::Same])}
                    </details>
                }
            })
        }}
    }
}

fn count(scenarios: &[ComparedScenario], change: Change) -> usize {
    scenarios.iter().filter(|one| one.change == change).count()
}

/// `2 newly failed, 1 fixed, 9 as before`.
fn summary(scenarios: &[ComparedScenario]) -> String {
    let count = |change| count(scenarios, change);
    let told = [
        (count(Change::NewlyFailed), "newly failed"),
        (count(Change::StillFailing), "still failing"),
        (count(Change::Fixed), "fixed"),
        (count(Change::OnlyA) + count(Change::OnlyB), "in only one"),
        (count(Change::Same), "as before"),
    ];
    let some = told.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, words)| format!("{count} {words}")).collect::<Vec<_>>().join(", ")
}

fn title(change: Change, (a, b): (JobId, JobId), count: usize) -> Option<String> {
    Some(match change {
        Change::NewlyFailed => format!("Newly failed ({count})"),
        Change::StillFailing => format!("Still failing ({count})"),
        Change::Fixed => format!("Fixed ({count})"),
        Change::OnlyA => format!("Only in job #{a} ({count})"),
        Change::OnlyB => format!("Only in job #{b} ({count})"),
        Change::Same => return None,
    })
}

#[component]
fn ChangeTable(
    label: &'static str,
    ids: (JobId, JobId),
    place: StoredValue<(String, String)>,
    groups: &'static [Change],
    both: RwSignal<Comparison>,
) -> impl IntoView {
    // A comparison's scenarios are never more or fewer: each is known by its place there, and drawn anew when it ends
    // otherwise than is shown.
    let row = Callback::new(move |(at, _): (i64, usize)| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let one = both.with_untracked(|both| both.scenarios.get(at).cloned());
        one.map(|one| view! { <ChangeRow one place /> }).into_any()
    });
    let group = move |change: Change| {
        let keys = Signal::derive(move || {
            let key = |(at, one): (i64, &ComparedScenario)| {
                (one.change == change).then(|| (at, outcome_number(one.a) * 100 + outcome_number(one.b)))
            };
            both.with(|both| (0..).zip(&both.scenarios).filter_map(key).collect::<Vec<_>>())
        });
        let head = move || {
            title(change, ids, keys.with(Vec::len)).map(|title| {
                view! { <tr class="group"><th scope="rowgroup" colspan="3">{title}</th></tr> }
            })
        };
        let is_shown = Memo::new(move |_| keys.with(|keys| !keys.is_empty()));
        move || is_shown.get().then(|| view! { <tbody>{head}<Rows keys row /></tbody> })
    };
    view! {
        <table class="table change-table" aria-label=label>
            <thead>
                <tr>
                    <th scope="col">"Scenario"</th>
                    <th scope="col">{format!("#{}", ids.0)}</th>
                    <th scope="col">{format!("#{}", ids.1)}</th>
                </tr>
            </thead>
            {groups.iter().map(|change| group(*change)).collect_view()}
        </table>
    }
}

#[component]
fn ChangeRow(one: ComparedScenario, place: StoredValue<(String, String)>) -> impl IntoView {
    let history = place.with_value(|(environment, branch)| paths::scenario(environment, &one.scenario, branch));
    view! {
        <tr>
            <td class="is-stretched"><a class="scenario" href=history title=one.scenario.clone()>{one.scenario.clone()}</a></td>
            <td>{outcome(one.a)}</td>
            <td>{outcome(one.b)}</td>
        </tr>
    }
}

/// One for each outcome, and one for none.
const fn outcome_number(status: Option<TaskStatus>) -> usize {
    match status {
        None => 0,
        Some(status) => status as usize + 1,
    }
}

fn outcome(status: Option<TaskStatus>) -> AnyView {
    match status {
        Some(status) => view! { <TaskStatusBadge status /> }.into_any(),
        None => view! { <span class="muted">"not in it"</span> }.into_any(),
    }
}
