//! Where one is, and where to: addresses, history and clicks on links. What is shown there is the router's business.

use crate::boxed::effect;
use crate::browser;
use crate::url::Url;
use leptos::ev::MouseEvent;
use leptos::prelude::*;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{Event, HtmlAnchorElement, Node};

#[derive(Clone, Copy)]
pub(crate) struct Navigation {
    /// Of what is shown.
    pub(crate) url: RwSignal<Url>,
    /// With its `#`; empty on the server, to which browsers never send it.
    pub(crate) hash: RwSignal<String>,
    /// To another page, which is being loaded.
    pub(crate) under_way: RwSignal<Option<Way>>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Way {
    pub(crate) to: Url,
    pub(crate) entry: Entry,
}

/// What becomes of the browser's history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    New,
    Replaced,
    /// One of those that are there: back or forward.
    Known,
}

impl Navigation {
    pub(crate) fn provide(url: Url) -> Self {
        let navigation =
            Self { url: RwSignal::new(url), hash: RwSignal::new(String::new()), under_way: RwSignal::new(None) };
        provide_context(navigation);
        effect(move || navigation.listen());
        navigation
    }

    pub(crate) fn of_context() -> Self {
        expect_context()
    }

    pub(crate) fn go(self, to: &str) {
        self.open(Url::parse(to), Entry::New);
    }

    /// For what is no step that one would go back to.
    pub(crate) fn replace(self, to: &str) {
        self.open(Url::parse(to), Entry::Replaced);
    }

    fn open(self, to: Url, entry: Entry) {
        if to.path == self.url.with_untracked(|url| url.path.clone()) {
            // The same page in another state: it looks after that itself.
            self.under_way.set(None);
            self.arrive(to, entry);
        } else {
            self.under_way.set(Some(Way { to, entry }));
        }
    }

    /// The page at the end of the way is there. Its hash belongs to the page that is left.
    pub(crate) fn end(self, way: Way) {
        self.under_way.set(None);
        self.hash.set(String::new());
        self.arrive(way.to, way.entry);
    }

    fn arrive(self, url: Url, entry: Entry) {
        let is_another = self.url.with_untracked(|known| *known != url);
        match entry {
            Entry::New if is_another => browser::push_address(&url.to_text()),
            // The same address again is no further step in the history.
            Entry::New | Entry::Replaced => browser::replace_address(&url.to_text()),
            Entry::Known => {}
        }
        if is_another {
            self.url.set(url);
        }
    }

    fn listen(self) {
        self.hash.set(browser::hash());
        let click = window_event_listener_untyped("click", move |event| self.follow(&event));
        let back = window_event_listener_untyped("popstate", move |_| {
            self.hash.set(browser::hash());
            let here = Url::parse(&browser::address());
            // Not for a new hash alone, nor when what was asked for last is just what is shown.
            if self.url.with_untracked(|url| *url != here) || self.under_way.with_untracked(Option::is_some) {
                self.open(here, Entry::Known);
            }
        });
        on_cleanup(move || {
            click.remove();
            back.remove();
        });
    }

    /// Takes a click on a link to a view of ours over from the browser; all others are its own business.
    fn follow(self, event: &Event) {
        let Some(event) = event.dyn_ref::<MouseEvent>() else { return };
        let is_plain = event.button() == 0 && !event.alt_key() && !event.ctrl_key() && !event.meta_key();
        if event.default_prevented() || !is_plain || event.shift_key() {
            return;
        }
        let Some(link) = event.target().and_then(|target| link_around(&target)) else { return };
        let is_ours = link.origin() == browser::origin() && link.target().is_empty();
        if !is_ours || link.has_attribute("download") || link.rel() == "external" {
            return;
        }
        let to = Url::parse(&(link.pathname() + &link.search()));
        if !link.hash().is_empty() && self.url.with_untracked(|url| *url == to) {
            return;
        }
        event.prevent_default();
        self.open(to, Entry::New);
    }
}

fn link_around(target: &web_sys::EventTarget) -> Option<HtmlAnchorElement> {
    let node = target.dyn_ref::<Node>()?;
    let element = node.dyn_ref::<web_sys::Element>().cloned().or_else(|| node.parent_element())?;
    element.closest("a[href]").ok()??.dyn_into().ok()
}
