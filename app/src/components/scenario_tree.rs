//! Scenarios to tick, in the folders that their names make. Native check boxes in nested lists; a folder's box stands
//! for all that is shown in it and is half ticked when some of them are.

use crate::boxed::{effect, memo};
use crate::html::{ElementRef, Html, el, live, view_of};
use leptos::prelude::*;
use std::collections::BTreeSet;
use web_sys::HtmlInputElement;
use web_sys::wasm_bindgen::JsCast;

/// What the tree shows for a filter: folders first seen first, each with what matches in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Folder { name: String, path: String, children: Vec<Node> },
    Scenario { name: String, path: String },
}

/// `shown`: those that the filter leaves, sorted by name.
pub(crate) fn scenario_tree(shown: Signal<Vec<String>>, picked: RwSignal<BTreeSet<String>>) -> Html {
    let draw = move |names: Vec<String>| {
        nodes(&names, "").into_iter().map(|node| branch(node, shown, picked)).collect::<Vec<_>>()
    };
    el("ul").class("tree").attr("aria-label", "Scenarios").child(view_of(move || shown.get(), draw))
}

fn branch(node: Node, shown: Signal<Vec<String>>, picked: RwSignal<BTreeSet<String>>) -> Html {
    match node {
        Node::Scenario { name, path } => el("li").child(leaf(name, path, picked)),
        Node::Folder { name, path, children } => {
            let children = children.into_iter().map(|child| branch(child, shown, picked)).collect::<Vec<_>>();
            el("li").child(folder_box(&name, &path, shown, picked)).child(el("ul").child(children))
        }
    }
}

fn leaf(name: String, path: String, picked: RwSignal<BTreeSet<String>>) -> Html {
    let label = path.clone();
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
    let tick = el("input").attr("type", "checkbox").attr("aria-label", label).checked_of(is_picked).on("change", pick);
    el("label").class("tree-item").child(tick).child(el("span").child(name))
}

fn folder_box(name: &str, path: &str, shown: Signal<Vec<String>>, picked: RwSignal<BTreeSet<String>>) -> Html {
    let input = ElementRef::new();
    let start = format!("{path}/");
    let inside = memo(move || {
        shown.with(|shown| shown.iter().filter(|scenario| scenario.starts_with(&start)).cloned().collect::<Vec<_>>())
    });
    // (picked, all) of what is shown in the folder.
    let share = memo(move || {
        let count = inside.with(|inside| picked.with(|picked| inside.iter().filter(|s| picked.contains(*s)).count()));
        (count, inside.with(Vec::len))
    });
    effect(move || {
        let (count, all) = share.get();
        if let Some(input) = input.get() {
            input.unchecked_into::<HtmlInputElement>().set_indeterminate(count > 0 && count < all);
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
    let tick = el("input")
        .attr("type", "checkbox")
        .attr("aria-label", name)
        .element_ref(input)
        .on("change", pick_all)
        .checked_of(move || share.get().0 == share.get().1);
    let count = live(move || format!("{} of {}", share.get().0, share.get().1));
    el("label")
        .class("tree-item is-folder")
        .child(tick)
        .child(el("span").child(name))
        .child(el("span").class("tree-count").child(count))
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
