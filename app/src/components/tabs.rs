//! Tabs after the ARIA pattern: links, so that each tab has its own URL and works before the page is live;
//! the arrow keys, Home and End move between them.

use crate::html::{Child, Html, el, live};
use leptos::prelude::*;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tab {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
}

/// `hrefs`: where each tab leads, in the order of `tabs`.
pub(crate) fn tab_list(
    label: &'static str,
    tabs: &'static [Tab],
    chosen: Signal<&'static str>,
    hrefs: Signal<Vec<String>>,
) -> Html {
    let links = move || {
        let (chosen, hrefs) = (chosen.get(), hrefs.get());
        let link = |(tab, href): (&Tab, String)| {
            let is_chosen = chosen == tab.key;
            el("a")
                .class("tab")
                .attr("role", "tab")
                .attr("id", format!("tab-{}", tab.key))
                .attr("aria-controls", format!("panel-{}", tab.key))
                .attr("aria-selected", if is_chosen { "true" } else { "false" })
                .attr("tabindex", if is_chosen { "0" } else { "-1" })
                .attr("href", href)
                .child(tab.label)
        };
        tabs.iter().zip(hrefs).map(link).collect::<Vec<_>>()
    };
    el("div")
        .class("tabs")
        .attr("role", "tablist")
        .attr("aria-label", label)
        .on("keydown", move |event| move_focus(event.unchecked_ref(), tabs))
        .child(live(links))
}

pub(crate) fn tab_panel(key: &'static str, content: impl Child) -> Html {
    el("div")
        .class("tab-panel")
        .attr("role", "tabpanel")
        .attr("id", format!("panel-{key}"))
        .attr("aria-labelledby", format!("tab-{key}"))
        .attr("tabindex", "0")
        .child(content)
}

/// Choosing follows the focus: a tab costs nothing to show. Space chooses as it does on every tab.
fn move_focus(event: &KeyboardEvent, tabs: &[Tab]) {
    let focused = document().active_element().map(|element| element.id()).unwrap_or_default();
    let Some(at) = tabs.iter().position(|tab| focused.strip_prefix("tab-") == Some(tab.key)) else { return };
    let to = match event.key().as_str() {
        "ArrowRight" => (at + 1) % tabs.len(),
        "ArrowLeft" => (at + tabs.len() - 1) % tabs.len(),
        "Home" => 0,
        "End" => tabs.len() - 1,
        " " => at,
        _ => return,
    };
    event.prevent_default();
    let target = document().get_element_by_id(&format!("tab-{}", tabs[to].key));
    if let Some(tab) = target.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = tab.focus();
        tab.click();
    }
}
