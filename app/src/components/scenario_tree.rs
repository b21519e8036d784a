//! Scenarios to tick, in the folders that their names make. Native check boxes in nested lists; a folder's box stands
//! for all that is shown in it and is half ticked when some of them are.

use super::status_badge::TaskStatusBadge;
use crate::words;
use leptos::html::{Input, Ul};
use leptos::prelude::*;
use protocol::api::ScenarioFigures;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// What the tree is made of: each folder with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    /// All that is in it stands together.
    Folder {
        name: String,
        places: Range<usize>,
        children: Vec<Node>,
    },
    Scenario {
        name: String,
        place: usize,
    },
}

/// Scenarios, and which of them a filter leaves: by their places, so that the tree is drawn once and what the filter
/// does not leave is only hidden.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// In natural order.
    pub(crate) all: StoredValue<Vec<String>>,
    pub(crate) is_left: Memo<Vec<bool>>,
}

impl Shown {
    /// Those in these places that the filter leaves.
    fn in_places<T>(self, places: &Range<usize>, read: impl Fn(&mut dyn Iterator<Item = &String>) -> T) -> T {
        self.all.with_value(|all| {
            self.is_left.with(|is_left| {
                read(&mut places.clone().filter(|place| is_left[*place]).filter_map(|place| all.get(place)))
            })
        })
    }

    pub(crate) fn names(self) -> Vec<String> {
        let all = 0..self.all.with_value(Vec::len);
        self.in_places(&all, |names| names.cloned().collect())
    }
}

#[component]
pub(crate) fn ScenarioTree(
    shown: Shown,
    picked: RwSignal<BTreeSet<String>>,
    /// How each went so far, by its name; nothing of those that never ran.
    #[prop(into)]
    figures: Signal<Figures>,
) -> impl IntoView {
    let nodes = shown.all.with_value(|all| nodes(all, 0..all.len(), 0));
    let tree = NodeRef::<Ul>::new();
    hide_others(tree, rows(&nodes), shown.is_left);
    let is_empty = Memo::new(move |_| shown.is_left.with(|is_left| !is_left.contains(&true)));
    view! {
        <ul class="tree" class:is-empty=is_empty aria-label="Scenarios" node_ref=tree>
            {nodes.into_iter().map(|node| branch(node, shown, picked, figures)).collect_view()}
        </ul>
    }
}

pub(crate) type Figures = BTreeMap<String, ScenarioFigures>;

fn branch(node: Node, shown: Shown, picked: RwSignal<BTreeSet<String>>, figures: Signal<Figures>) -> AnyView {
    match node {
        Node::Scenario { name, place } => {
            let path = shown.all.with_value(|all| all.get(place).cloned()).unwrap_or_default();
            view! { <li class="tree-leaf"><Leaf name path picked figures /></li> }.into_any()
        }
        Node::Folder { name, places, children } => view! {
            <li>
                <FolderBox name places shown picked />
                <ul>{children.into_iter().map(|child| branch(child, shown, picked, figures)).collect_view()}</ul>
            </li>
        }
        .into_any(),
    }
}

/// What each row of the tree stands for, from top to bottom.
fn rows(nodes: &[Node]) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    for node in nodes {
        match node {
            Node::Scenario { place, .. } => rows.push(*place..place + 1),
            Node::Folder { places, children, .. } => {
                rows.push(places.clone());
                rows.extend(self::rows(children));
            }
        }
    }
    rows
}

/// All rows at once and only those that change: to wake each of 3,000 by itself takes a tenth of a second at every key.
fn hide_others(tree: NodeRef<Ul>, rows: Vec<Range<usize>>, is_left: Memo<Vec<bool>>) {
    Effect::new(move |before: Option<Vec<bool>>| {
        let Some(tree) = tree.get() else { return before.unwrap_or_default() };
        let is_shown: Vec<bool> =
            is_left.with(|is_left| rows.iter().map(|places| is_left[places.clone()].contains(&true)).collect());
        let before = before.filter(|before| !before.is_empty()).unwrap_or_else(|| vec![true; rows.len()]);
        let items = tree.get_elements_by_tag_name("li");
        for (at, (is_shown, was_shown)) in (0..).zip(is_shown.iter().zip(before)) {
            if *is_shown != was_shown
                && let Some(item) = items.item(at)
            {
                let _ = item.toggle_attribute_with_force("hidden", !is_shown);
            }
        }
        is_shown
    });
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
fn FolderBox(name: String, places: Range<usize>, shown: Shown, picked: RwSignal<BTreeSet<String>>) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    // (picked, all) of what is shown in the folder.
    let share = {
        let places = places.clone();
        Memo::new(move |_| {
            picked.with(|picked| {
                shown.in_places(&places, |names| {
                    names.fold((0, 0), |(count, all), name| (count + usize::from(picked.contains(name)), all + 1))
                })
            })
        })
    };
    Effect::new(move |_| {
        let (count, all) = share.get();
        if let Some(input) = input.get() {
            input.set_indeterminate(count > 0 && count < all);
        }
    });
    let pick_all = move |event| {
        let is_on = event_target_checked(&event);
        let inside: Vec<String> = untrack(|| shown.in_places(&places, |names| names.cloned().collect()));
        picked.update(|picked| {
            for scenario in inside {
                if is_on {
                    picked.insert(scenario);
                } else {
                    picked.remove(&scenario);
                }
            }
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

/// The nodes directly below one folder, of whose sorted names, at these places, so many bytes are its own path.
fn nodes(scenarios: &[String], places: Range<usize>, parent: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = places.start;
    while at < places.end {
        let below = &scenarios[at][parent..];
        let Some((folder, _)) = below.split_once('/') else {
            nodes.push(Node::Scenario { name: below.to_owned(), place: at });
            at += 1;
            continue;
        };
        let path = parent + folder.len() + 1;
        let start = &scenarios[at][..path];
        let count = scenarios[at..places.end].iter().take_while(|path| path.starts_with(start)).count();
        let inside = at..at + count;
        let children = self::nodes(scenarios, inside.clone(), path);
        nodes.push(Node::Folder { name: folder.to_owned(), places: inside, children });
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
        let leaf = |name: &str, place| Node::Scenario { name: name.to_owned(), place };
        let folder = |name: &str, places, children| Node::Folder { name: name.to_owned(), places, children };
        let wifi = folder("wifi", 2..3, vec![leaf("join", 2)]);
        assert_eq!(
            nodes(&scenarios, 0..4, 0),
            [
                leaf("boot", 0),
                folder("net", 1..3, vec![leaf("dhcp", 1), wifi]),
                folder("smoke", 3..4, vec![leaf("boot", 3)]),
            ]
        );
    }
}
