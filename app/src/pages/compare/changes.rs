//! The scenarios of two jobs in groups, what needs a look first; what is as it was stands folded at the end.

use crate::components::status_badge::TaskStatusBadge;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::JobId;
use protocol::TaskStatus;
use protocol::api::{Change, ComparedScenario};

/// In the order in which one looks.
const GROUPS: [Change; 5] = [Change::NewlyFailed, Change::StillFailing, Change::Fixed, Change::OnlyA, Change::OnlyB];

#[component]
pub(super) fn Changes(
    /// The jobs, before and after.
    ids: (JobId, JobId),
    /// Environment and branch whose histories the scenarios lead to.
    place: (String, String),
    scenarios: Vec<ComparedScenario>,
    /// Whether the reader has opened what is as before, or closed it.
    opened: StoredValue<Option<bool>>,
) -> impl IntoView {
    let of = |change| scenarios.iter().filter(|one| one.change == change).cloned().collect::<Vec<_>>();
    let (same, groups) = (of(Change::Same), GROUPS.map(|change| (change, of(change))));
    let told = summary(&groups, same.len());
    let is_any = groups.iter().any(|(_, scenarios)| !scenarios.is_empty());
    let groups = groups.into_iter().filter(|(_, scenarios)| !scenarios.is_empty());
    let groups = groups.map(|(change, scenarios)| Group { title: title(change, ids, scenarios.len()), scenarios });
    let changed = is_any.then(|| {
        view! { <ChangeTable label="Changes" ids place=place.clone() groups=groups.collect() /> }
    });
    let unchanged = (!same.is_empty()).then(|| {
        let words = format!("{} as before", words::plural(same.len() as u64, "scenario"));
        let groups = vec![Group { title: None, scenarios: same }];
        let is_open = opened.get_value().unwrap_or(!is_any);
        view! {
            <details class="fold" open=is_open>
                <summary on:click=move |_| opened.update_value(|opened| *opened = Some(!opened.unwrap_or(!is_any)))>{words}</summary>
                <ChangeTable label="Unchanged" ids place groups />
            </details>
        }
    });
    view! {
        <p class="changes-told">{told}</p>
        {changed}
        {unchanged}
    }
}

struct Group {
    title: Option<String>,
    scenarios: Vec<ComparedScenario>,
}

/// `2 newly failed, 1 fixed, 9 as before`.
fn summary(groups: &[(Change, Vec<ComparedScenario>)], same: usize) -> String {
    let told = groups.iter().filter_map(|(change, scenarios)| {
        let word = match change {
            Change::NewlyFailed => "newly failed",
            Change::StillFailing => "still failing",
            Change::Fixed => "fixed",
            Change::OnlyA | Change::OnlyB => return None,
            Change::Same => "as before",
        };
        (!scenarios.is_empty()).then(|| format!("{} {word}", scenarios.len()))
    });
    let only = groups.iter().filter(|(change, _)| matches!(change, Change::OnlyA | Change::OnlyB));
    let only: usize = only.map(|(_, scenarios)| scenarios.len()).sum();
    let only = (only > 0).then(|| format!("{only} in only one"));
    let same = (same > 0).then(|| format!("{same} as before"));
    told.chain(only).chain(same).collect::<Vec<_>>().join(", ")
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
fn ChangeTable(label: &'static str, ids: (JobId, JobId), place: (String, String), groups: Vec<Group>) -> impl IntoView {
    let (environment, branch) = place;
    let row = |one: ComparedScenario| {
        let history = paths::scenario(&environment, &one.scenario, &branch);
        view! {
            <tr>
                <td class="is-stretched"><a class="scenario" href=history title=one.scenario.clone()>{one.scenario.clone()}</a></td>
                <td>{outcome(one.a)}</td>
                <td>{outcome(one.b)}</td>
            </tr>
        }
    };
    let group = |Group { title, scenarios }: Group| {
        let head = title.map(|title| {
            view! { <tr class="group"><th scope="rowgroup" colspan="3">{title}</th></tr> }
        });
        view! { <tbody>{head}{scenarios.into_iter().map(row).collect_view()}</tbody> }
    };
    let groups = groups.into_iter().map(group).collect_view();
    view! {
        <table class="table change-table" aria-label=label>
            <thead>
                <tr>
                    <th scope="col">"Scenario"</th>
                    <th scope="col">{format!("#{}", ids.0)}</th>
                    <th scope="col">{format!("#{}", ids.1)}</th>
                </tr>
            </thead>
            {groups}
        </table>
    }
}

fn outcome(status: Option<TaskStatus>) -> AnyView {
    match status {
        Some(status) => view! { <TaskStatusBadge status /> }.into_any(),
        None => view! { <span class="muted">"not in it"</span> }.into_any(),
    }
}
