//! How the last runs ended, one mark beside the other, each leading to its run. One stop for the Tab key: the arrow
//! keys, Home and End move along.

use leptos::ev::KeyboardEvent;
use leptos::html::Div;
use leptos::prelude::*;
use protocol::TaskStatus;
use web_sys::HtmlElement;
use web_sys::wasm_bindgen::JsCast;

#[derive(Clone)]
pub(crate) struct Mark {
    pub(crate) status: TaskStatus,
    pub(crate) href: String,
    /// All that there is to say about the run.
    pub(crate) label: String,
}

/// From the oldest to the newest.
#[component]
pub(crate) fn RunStrip(label: &'static str, marks: Vec<Mark>) -> impl IntoView {
    let strip = NodeRef::<Div>::new();
    let last = marks.len().saturating_sub(1);
    let mark = |(at, Mark { status, href, label }): (usize, Mark)| {
        let tab_stop = if at == last { "0" } else { "-1" };
        view! { <a href=href data-status=status.as_str() title=label.clone() aria-label=label tabindex=tab_stop></a> }
    };
    let marks = marks.into_iter().enumerate().map(mark).collect_view();
    view! {
        <div class="strip" role="group" aria-label=label node_ref=strip on:keydown=move |event| move_focus(&event, strip)>
            {marks}
        </div>
    }
}

fn move_focus(event: &KeyboardEvent, strip: NodeRef<Div>) {
    let Some(focused) = document().active_element() else { return };
    let Some(strip) = strip.get_untracked().filter(|strip| strip.contains(Some(&focused))) else { return };
    let to = match event.key().as_str() {
        "ArrowRight" => focused.next_element_sibling(),
        "ArrowLeft" => focused.previous_element_sibling(),
        "Home" => strip.first_element_child(),
        "End" => strip.last_element_child(),
        _ => return,
    };
    event.prevent_default();
    let Some(to) = to.and_then(|to| to.dyn_into::<HtmlElement>().ok()) else { return };
    let _ = focused.set_attribute("tabindex", "-1");
    let _ = to.set_attribute("tabindex", "0");
    let _ = to.focus();
}
