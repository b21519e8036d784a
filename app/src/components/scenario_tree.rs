//! Scenarios to tick, in the folders that their names make. Native check boxes in nested lists; a folder's box stands
//! for all that is shown in it and is half ticked when some of them are.

use super::status_badge::TaskStatusBadge;
use crate::words;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::api::ScenarioFigures;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the tree shows for a filter: folders first seen first, each with what matches in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Folder { name: String, path: String, children: Vec<Node> },
    Scenario { name: String, path: String },
}

#[component]
pub(crate) fn ScenarioTree(
    /// Those that the filter leaves, sorted by name.
    #[prop(into)]
    shown: Signal<Vec<String>>,
    picked: RwSignal<BTreeSet<String>>,
    /// How each went so far, by its name; nothing of those that never ran.
    #[prop(into)]
    figures: Signal<Figures>,
) -> impl IntoView {
    view! {
        <ul class="tree" aria-label="Scenarios">
            {move || nodes(&shown.get(), "").into_iter().map(|node| branch(node, shown, picked, figures)).collect_view()}
        </ul>
    }
}

pub(crate) type Figures = BTreeMap<String, ScenarioFigures>;

fn branch(
    node: Node,
    shown: Signal<Vec<String>>,
    picked: RwSignal<BTreeSet<String>>,
    figures: Signal<Figures>,
) -> AnyView {
    match node {
        Node::Scenario { name, path } => view! { <li><Leaf name path picked figures /></li> }.into_any(),
        Node::Folder { name, path, children } => view! {
            <li>
                <FolderBox name path=path shown picked />
                <ul>{children.into_iter().map(|child| branch(child, shown, picked, figures)).collect_view()}</ul>
            </li>
        }
        .into_any(),
    }
}

#[component]
fn Leaf(name: String, path: String, picked: RwSignal<BTreeSet<String>>, figures: Signal<Figures>) -> impl IntoView {
    let label = path.clone();
    let facts = {
        let path = path.clone();
        move || figures.with(|figures| figures.get(&path).map(facts))
    };
    let is_picked = {
        let path = path.clone();
        move || picked.with(|picked| picked.contains(&path))
    };
    let pick = move |event| {
        let is_on = event_target_checked(&event);
        picked.update(|picked| {
            if is_on {
                picked.insert(path.clone())
            } else {
                picked.remove(&path)
            };
        });
    };
    view! {
        <label class="tree-item">
            <input type="checkbox" aria-label=label prop:checked=is_picked on:change=pick />
            <span>{name}</span>
            {facts}
        </label>
    }
}

/// Its last result, how long it usually takes, and how far it can be relied on.
fn facts(figures: &ScenarioFigures) -> impl IntoView + use<> {
    let took = figures.median_ms.map(|ms| words::duration(Duration::from_millis(u64::try_from(ms).unwrap_or(0))));
    view! {
        <span class="tree-facts">
            <TaskStatusBadge status=figures.last_status />
            <span>{took}</span>
            <span>{figures.flakiness.and_then(flakiness)}</span>
        </span>
    }
}

/// `20 % flaky`; nothing of what has always gone the same way.
fn flakiness(share: f64) -> Option<String> {
    (share > 0.0).then(|| format!("{} flaky", words::percent(share)))
}

#[component]
fn FolderBox(
    name: String,
    path: String,
    shown: Signal<Vec<String>>,
    picked: RwSignal<BTreeSet<String>>,
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let inside = Memo::new(move |_| {
        let start = format!("{path}/");
        shown.with(|shown| shown.iter().filter(|scenario| scenario.starts_with(&start)).cloned().collect::<Vec<_>>())
    });
    // (picked, all) of what is shown in the folder.
    let share = Memo::new(move |_| {
        let count = inside.with(|inside| picked.with(|picked| inside.iter().filter(|s| picked.contains(*s)).count()));
        (count, inside.with(Vec::len))
    });
    Effect::new(move |_| {
        let (count, all) = share.get();
        if let Some(input) = input.get() {
            input.set_indeterminate(count > 0 && count < all);
        }
    });
    let pick_all = move |event| {
        let is_on = event_target_checked(&event);
        inside.with_untracked(|inside| {
            picked.update(|picked| {
                for scenario in inside {
                    if is_on {
                        picked.insert(scenario.clone())
                    } else {
                        picked.remove(scenario)
                    };
                }
            });
        });
    };
    let label = name.clone();
    view! {
        <label class="tree-item is-folder">
            <input type="checkbox" aria-label=label node_ref=input on:change=pick_all
                prop:checked=move || share.get().0 == share.get().1 />
            <span>{name}</span>
            <span class="tree-count">{move || format!("{} of {}", share.get().0, share.get().1)}</span>
        </label>
    }
}

/// The nodes directly below the folder `parent` (which ends in `/`, or is empty), of sorted names that all begin so.
fn nodes(scenarios: &[String], parent: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = 0;
    while let Some(path) = scenarios.get(at) {
        let below = &path[parent.len()..];
        let Some((folder, _)) = below.split_once('/') else {
            nodes.push(Node::Scenario { name: below.to_owned(), path: path.clone() });
            at += 1;
            continue;
        };
        let start = format!("{parent}{folder}/");
        let count = scenarios[at..].iter().take_while(|path| path.starts_with(&start)).count();
        nodes.push(Node::Folder {
            name: folder.to_owned(),
            path: format!("{parent}{folder}"),
            children: self::nodes(&scenarios[at..at + count], &start),
        });
        at += count;
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_turns_is_called_flaky() {
        let told = [0.0, 0.004, 0.204].map(flakiness);
        assert_eq!(told, [None, Some("< 1 % flaky".to_owned()), Some("20 % flaky".to_owned())]);
    }

    #[test]
    fn names_become_folders() {
        let scenarios = ["boot", "net/dhcp", "net/wifi/join", "smoke/boot"].map(str::to_owned);
        let leaf = |name: &str, path: &str| Node::Scenario { name: name.to_owned(), path: path.to_owned() };
        let folder =
            |name: &str, path: &str, children| Node::Folder { name: name.to_owned(), path: path.to_owned(), children };
        let wifi = folder("wifi", "net/wifi", vec![leaf("join", "net/wifi/join")]);
        assert_eq!(
            nodes(&scenarios, ""),
            [
                leaf("boot", "boot"),
                folder("net", "net", vec![leaf("dhcp", "net/dhcp"), wifi]),
                folder("smoke", "smoke", vec![leaf("boot", "smoke/boot")]),
            ]
        );
    }
}
