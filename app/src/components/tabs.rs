//! Tabs after the ARIA pattern: links, so that each tab has its own URL and works before the page is live;
//! the arrow keys, Home and End move between them.

use js_sys::Reflect;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tab {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
}

#[component]
pub(crate) fn TabList(
    label: &'static str,
    tabs: &'static [Tab],
    #[prop(into)] chosen: Signal<&'static str>,
    /// Where each tab leads, by its key.
    hrefs: Signal<Vec<String>>,
) -> impl IntoView {
    let links = move || {
        let (chosen, hrefs) = (chosen.get(), hrefs.get());
        let link = |(tab, href): (&Tab, String)| {
            let is_chosen = chosen == tab.key;
            view! {
                <a class="tab" role="tab" id=format!("tab-{}", tab.key) aria-controls=format!("panel-{}", tab.key)
                    aria-selected=if is_chosen { "true" } else { "false" } tabindex=if is_chosen { "0" } else { "-1" }
                    href=href data-noscroll="">
                    {tab.label}
                </a>
            }
        };
        tabs.iter().zip(hrefs).map(link).collect_view()
    };
    view! {
        <div class="tabs" role="tablist" aria-label=label on:keydown=move |event| move_focus(&event, tabs)>
            {links}
        </div>
    }
}

#[component]
pub(crate) fn TabPanel(key: &'static str, children: Children) -> impl IntoView {
    view! {
        <div class="tab-panel" role="tabpanel" id=format!("panel-{key}") aria-labelledby=format!("tab-{key}") tabindex="0">
            {children()}
        </div>
    }
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
        // What the arrows pass by is no step that "Back" leads to. The router reads it as the link is clicked.
        let _ = Reflect::set(&tab, &"replace".into(), &true.into());
        tab.click();
        let _ = Reflect::set(&tab, &"replace".into(), &false.into());
    }
}
