//! What the page is drawn with: leptos' elements and attributes by way of one Rust type. Its `view!` makes a type of
//! each piece of a page, and for each of them a copy of the code that draws it, which made the page twice as large.

use leptos::ev;
use leptos::html::input;
use leptos::prelude::*;
use leptos::tachys::html::attribute::any_attribute::{AnyAttribute, IntoAnyAttribute};
use leptos::tachys::html::attribute::custom::custom_attribute;
use leptos::tachys::html::element::{Custom, custom};
use leptos::tachys::html::event::on;
use leptos::tachys::html::node_ref::node_ref;
use leptos::tachys::html::property::prop;
use leptos::tachys::view::iterators::StaticVec;
use std::sync::{Arc, Mutex};
use web_sys::Event;

/// An element as it is being put together.
pub(crate) struct Html {
    tag: &'static str,
    attributes: Vec<AnyAttribute>,
    children: Vec<AnyView>,
}

/// To get hold of an element once it is in the page.
pub(crate) type ElementRef = NodeRef<Custom<String>>;

/// An element of that name.
pub(crate) fn el(tag: &'static str) -> Html {
    Html { tag, attributes: Vec::new(), children: Vec::new() }
}

impl Html {
    pub(crate) fn class(self, class: &'static str) -> Self {
        self.attr("class", class)
    }

    pub(crate) fn attr(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value: String = value.into();
        self.attributes.push(custom_attribute(name, value).into_any_attr());
        self
    }

    /// Without a value the element does not have it.
    pub(crate) fn attr_if(self, name: &'static str, value: Option<&'static str>) -> Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// Follows what `value` reads; while it is `None` the element does not have it.
    pub(crate) fn attr_of(
        mut self,
        name: &'static str,
        value: impl FnMut() -> Option<String> + Send + 'static,
    ) -> Self {
        let value: Reactive<Option<String>> = Arc::new(Mutex::new(value));
        self.attributes.push(custom_attribute(name, value).into_any_attr());
        self
    }

    /// What a field holds: follows what `value` reads, also after the user has typed. Only in the browser.
    pub(crate) fn value_of(mut self, value: impl FnMut() -> String + Send + 'static) -> Self {
        let value: Reactive<String> = Arc::new(Mutex::new(value));
        self.attributes.push(prop("value", value).into_any_attr());
        self
    }

    /// Whether a box is ticked: follows what `is_checked` reads. Only in the browser.
    pub(crate) fn checked_of(mut self, is_checked: impl FnMut() -> bool + Send + 'static) -> Self {
        let is_checked: Reactive<bool> = Arc::new(Mutex::new(is_checked));
        self.attributes.push(prop("checked", is_checked).into_any_attr());
        self
    }

    pub(crate) fn on(mut self, event: &'static str, handle: impl FnMut(Event) + 'static) -> Self {
        let handle: Box<dyn FnMut(Event)> = Box::new(handle);
        self.attributes.push(on(ev::Custom::new(event), handle).into_any_attr());
        self
    }

    pub(crate) fn element_ref(mut self, element: ElementRef) -> Self {
        self.attributes.push(node_ref::<Custom<String>, _>(element).into_any_attr());
        self
    }

    pub(crate) fn child(mut self, child: impl Child) -> Self {
        self.children.push(child.drawn());
        self
    }
}

/// What can stand in an element.
pub(crate) trait Child {
    fn drawn(self) -> AnyView;
}

impl Child for AnyView {
    fn drawn(self) -> AnyView {
        self
    }
}

impl Child for Html {
    fn drawn(self) -> AnyView {
        // The one element here that has no end tag.
        if self.tag == "input" {
            return input().add_any_attr(self.attributes).into_any();
        }
        let element = custom(known_as(self.tag)).add_any_attr(self.attributes);
        if self.children.is_empty() {
            element.into_any()
        } else {
            element.child(StaticVec::from(self.children)).into_any()
        }
    }
}

/// leptos keeps an element in the page if its name is the one that the browser tells, which is in capitals.
fn known_as(tag: &str) -> String {
    if cfg!(feature = "ssr") { tag.to_owned() } else { tag.to_ascii_uppercase() }
}

impl Child for String {
    fn drawn(self) -> AnyView {
        self.into_any()
    }
}

impl Child for &str {
    fn drawn(self) -> AnyView {
        self.to_owned().into_any()
    }
}

/// Nothing in place of what there is not.
impl<C: Child> Child for Option<C> {
    fn drawn(self) -> AnyView {
        self.map_or_else(|| Vec::<AnyView>::new().into_any(), Child::drawn)
    }
}

/// One after the other; may be more or fewer the next time.
impl<C: Child> Child for Vec<C> {
    fn drawn(self) -> AnyView {
        self.into_iter().map(Child::drawn).collect::<Vec<_>>().into_any()
    }
}

type Reactive<T> = Arc<Mutex<dyn FnMut() -> T + Send>>;

/// Drawn anew whenever what `draw` reads changes; what stays the same in it stays in the page.
pub(crate) fn live<C: Child>(mut draw: impl FnMut() -> C + Send + 'static) -> AnyView {
    let draw: Reactive<AnyView> = Arc::new(Mutex::new(move || draw().drawn()));
    draw.into_any()
}

/// A view that is made from what `read` reads, and made anew when that changes, whatever it reads itself meanwhile.
pub(crate) fn view_of<T, C: Child>(
    read: impl Fn() -> T + Send + 'static,
    draw: impl Fn(T) -> C + Send + 'static,
) -> AnyView {
    live(move || {
        let value = read();
        untrack(|| draw(value))
    })
}

/// One of a list's parts. `draw` is called when its key is new in the list; otherwise it stays as it is.
pub(crate) struct Keyed {
    key: String,
    draw: Box<dyn FnOnce() -> AnyView + Send + Sync>,
}

impl Keyed {
    pub(crate) fn new<C: Child>(key: impl ToString, draw: impl FnOnce() -> C + Send + Sync + 'static) -> Self {
        Self { key: key.to_string(), draw: Box::new(move || draw().drawn()) }
    }
}

/// A list that keeps what stays in it.
pub(crate) fn keyed(list: impl Fn() -> Vec<Keyed> + Send + Sync + 'static) -> AnyView {
    let list: Box<dyn Fn() -> Vec<Keyed> + Send + Sync> = Box::new(list);
    view! { <For each=list key=|part| part.key.clone() children=|part: Keyed| (part.draw)() /> }.into_any()
}
