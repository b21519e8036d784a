//! Search and filters above the list. They live in the URL; without JavaScript the form itself puts them there.

use crate::boxed::effect;
use crate::client::JobQuery;
use crate::html::{ElementRef, Html, el, live};
use crate::navigation::Navigation;
use crate::{paths, words};
use leptos::leptos_dom::helpers::debounce;
use leptos::prelude::*;
use protocol::JobStatus;
use std::time::Duration;
use web_sys::HtmlInputElement;
use web_sys::wasm_bindgen::JsCast;

/// After the last key, so that a word typed is one question.
const TYPING_PAUSE: Duration = Duration::from_millis(250);

pub(super) fn filters(query: Memo<JobQuery>, environments: Vec<String>) -> Html {
    let navigation = Navigation::of_context();
    let change = move |apply: fn(&mut JobQuery, String)| {
        Callback::new(move |value: String| {
            let mut next = query.get_untracked();
            apply(&mut next, value.trim().to_owned());
            navigation.replace(&url(&next));
        })
    };
    let value = move |read: fn(&JobQuery) -> &String| Signal::derive(move || query.with(|query| read(query).clone()));
    let status = |status: &JobStatus| (status.as_str().to_owned(), words::job_status(*status).to_owned());
    let search = TextFilter { name: "search", label: "Search jobs", kind: "search", hint: "Job number or user name" };
    let branch = TextFilter { name: "branch", label: "Branch", kind: "text", hint: "Whole name" };
    el("form")
        .class("filters")
        .attr("role", "search")
        .attr("method", "get")
        .attr("action", paths::HOME)
        .on("submit", |event| event.prevent_default())
        .child(search.field(value(|query| &query.search), change(|query, value| query.search = value)))
        .child(choice_filter(
            "status",
            "Status",
            JobStatus::ALL.iter().map(status).collect(),
            value(|query| &query.status),
            change(|query, value| query.status = value),
        ))
        .child(choice_filter(
            "environment",
            "Environment",
            environments.into_iter().map(|name| (name.clone(), name)).collect(),
            value(|query| &query.environment),
            change(|query, value| query.environment = value),
        ))
        .child(branch.field(value(|query| &query.branch), change(|query, value| query.branch = value)))
        .child(el("button").class("button only-without-scripts").attr("type", "submit").child("Apply"))
}

fn url(query: &JobQuery) -> String {
    let pairs = [
        ("search", query.search.as_str()),
        ("status", &query.status),
        ("environment", &query.environment),
        ("branch", &query.branch),
    ];
    paths::with_query(paths::HOME, &pairs)
}

struct TextFilter {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    hint: &'static str,
}

impl TextFilter {
    fn field(self, value: Signal<String>, on_change: Callback<String>) -> Html {
        let input = ElementRef::new();
        let mut typed = debounce(TYPING_PAUSE, move |text| {
            // Nobody listens any more when the dashboard was left meanwhile.
            let _ = on_change.try_run(text);
        });
        // Back and forward change the URL under the field; what is just being typed is never overwritten.
        effect(move || {
            let (Some(input), value) = (input.get(), value.get()) else { return };
            let is_focused = document().active_element().is_some_and(|focused| focused.id() == input.id());
            let input: HtmlInputElement = input.unchecked_into();
            if !is_focused && input.value() != value {
                input.set_value(&value);
            }
        });
        let Self { name, label, kind, hint } = self;
        let field = el("input")
            .attr("id", id_of(name))
            .element_ref(input)
            .attr("name", name)
            .attr("type", kind)
            .attr("placeholder", hint)
            .attr("autocomplete", "off")
            .attr("spellcheck", "false")
            .attr("value", value.get_untracked())
            .on("input", move |event| typed(event_target_value(&event)));
        labelled(name, label, field)
    }
}

fn choice_filter(
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
    value: Signal<String>,
    on_change: Callback<String>,
) -> Html {
    let choices = live(move || {
        let value = value.get();
        let choice = |(option, words): &(String, String)| {
            let selected = (*option == value).then_some("");
            el("option").attr("value", option.clone()).attr_if("selected", selected).child(words.clone())
        };
        options.iter().map(choice).collect::<Vec<_>>()
    });
    let select = el("select")
        .attr("id", id_of(name))
        .attr("name", name)
        .value_of(move || value.get())
        .on("change", move |event| on_change.run(event_target_value(&event)))
        .child(el("option").attr("value", "").child("Any"))
        .child(choices);
    labelled(name, label, select)
}

fn id_of(name: &str) -> String {
    format!("filter-{name}")
}

fn labelled(name: &str, label: &str, input: Html) -> Html {
    el("div").class("field").child(el("label").attr("for", id_of(name)).child(label)).child(input)
}
