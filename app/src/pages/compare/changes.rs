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
    scenarios: Memo<Vec<ComparedScenario>>,
) -> impl IntoView {
    let place = StoredValue::new(place);
    let of = |change| {
        let is_of = move |(at, one): (usize, &ComparedScenario)| (one.change == change).then_some(at);
        Memo::new(move |_| scenarios.with(|all| all.iter().enumerate().filter_map(is_of).collect::<Vec<_>>()))
    };
    let (same, groups) = (of(Change::Same), GROUPS.map(|change| Group { change, scenarios: of(change) }));
    let is_any = Memo::new(move |_| groups.iter().any(|group| !group.is_empty()));
    let told = move || summary(&groups.map(|group| (group.change, group.count())), same.with(Vec::len));
    let changed = move || {
        let groups = groups.to_vec();
        is_any.get().then(|| view! { <ChangeTable label="Changes" ids place groups scenarios /> })
    };
    // Only what the reader did; until then as it is best.
    let opened = RwSignal::new(None::<bool>);
    let is_open = move || opened.get().unwrap_or(!is_any.get());
    // Drawn, not left to the browser, so that the next answer finds it as the reader left it.
    let turn = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        opened.set(Some(!is_open()));
    };
    let has_same = Memo::new(move |_| !same.with(Vec::is_empty));
    let unchanged = move || {
        has_same.get().then(|| {
            let words = move || format!("{} as before", words::plural(same.with(Vec::len) as u64, "scenario"));
            let groups = vec![Group { change: Change::Same, scenarios: same }];
            view! {
                <details class="fold" open=is_open>
                    <summary on:click=turn>{words}</summary>
                    <ChangeTable label="Unchanged" ids place groups scenarios />
                </details>
            }
        })
    };
    view! {
        <p class="changes-told">{told}</p>
        {changed}
        {unchanged}
    }
}

/// Those that changed so, by their places in the comparison: a scenario keeps its place there.
#[derive(Clone, Copy)]
struct Group {
    change: Change,
    scenarios: Memo<Vec<usize>>,
}

impl Group {
    fn count(self) -> usize {
        self.scenarios.with(Vec::len)
    }

    fn is_empty(self) -> bool {
        self.count() == 0
    }
}

/// `2 newly failed, 1 fixed, 9 as before`.
fn summary(groups: &[(Change, usize)], same: usize) -> String {
    let told = groups.iter().filter_map(|(change, count)| {
        let word = match change {
            Change::NewlyFailed => "newly failed",
            Change::StillFailing => "still failing",
            Change::Fixed => "fixed",
            Change::OnlyA | Change::OnlyB => return None,
            Change::Same => "as before",
        };
        (*count > 0).then(|| format!("{count} {word}"))
    });
    let only = groups.iter().filter(|(change, _)| matches!(change, Change::OnlyA | Change::OnlyB));
    let only: usize = only.map(|(_, count)| count).sum();
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
fn ChangeTable(
    label: &'static str,
    ids: (JobId, JobId),
    place: StoredValue<(String, String)>,
    groups: Vec<Group>,
    scenarios: Memo<Vec<ComparedScenario>>,
) -> impl IntoView {
    let row = move |at: usize| view! { <ChangeRow at place scenarios /> };
    let group = |group: Group| {
        let is_shown = Memo::new(move |_| !group.is_empty());
        let head = move || {
            title(group.change, ids, group.count()).map(|title| {
                view! { <tr class="group"><th scope="rowgroup" colspan="3">{title}</th></tr> }
            })
        };
        let each = move || group.scenarios.get();
        move || is_shown.get().then(|| view! { <tbody>{head}<For each=each key=|at| *at children=row /></tbody> })
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

/// A row keeps its place as long as it is in the same group; what changed in it is drawn anew.
#[component]
fn ChangeRow(at: usize, place: StoredValue<(String, String)>, scenarios: Memo<Vec<ComparedScenario>>) -> impl IntoView {
    let scenario = scenarios.with_untracked(|all| all.get(at).map(|one| one.scenario.clone())).unwrap_or_default();
    let history = place.with_value(|(environment, branch)| paths::scenario(environment, &scenario, branch));
    let outcomes = Memo::new(move |_| scenarios.with(|all| all.get(at).map_or((None, None), |one| (one.a, one.b))));
    view! {
        <tr>
            <td class="is-stretched"><a class="scenario" href=history title=scenario.clone()>{scenario.clone()}</a></td>
            <td>{move || outcome(outcomes.get().0)}</td>
            <td>{move || outcome(outcomes.get().1)}</td>
        </tr>
    }
}

fn outcome(status: Option<TaskStatus>) -> AnyView {
    match status {
        Some(status) => view! { <TaskStatusBadge status /> }.into_any(),
        None => view! { <span class="muted">"not in it"</span> }.into_any(),
    }
}
