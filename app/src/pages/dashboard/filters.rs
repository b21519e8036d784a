//! Search and filters above the list. They live in the URL; without JavaScript the form itself puts them there.

use crate::client::JobQuery;
use crate::{paths, words};
use leptos::html::{Input, Select};
use leptos::leptos_dom::helpers::debounce;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::JobStatus;
use std::time::Duration;

/// After the last key, so that a word typed is one question.
const TYPING_PAUSE: Duration = Duration::from_millis(250);

#[component]
pub(super) fn Filters(query: Memo<JobQuery>, environments: Vec<String>) -> impl IntoView {
    let navigate = use_navigate();
    let go = Callback::new(move |query: JobQuery| {
        navigate(&url(&query), NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    });
    let change = move |apply: fn(&mut JobQuery, String)| {
        Callback::new(move |value: String| {
            let mut next = query.get_untracked();
            apply(&mut next, value.trim().to_owned());
            go.run(next);
        })
    };
    let statuses = || {
        JobStatus::ALL
            .iter()
            .map(|status| (status.as_str().to_owned(), words::job_status(*status).to_owned()))
            .collect()
    };
    view! {
        <form class="filters" role="search" method="get" action=paths::HOME on:submit=|event| event.prevent_default()>
            <TextFilter name="search" label="Search jobs" kind="search" hint="Job number or user name"
                value=Signal::derive(move || query.with(|query| query.search.clone()))
                on_change=change(|query, value| query.search = value) />
            <ChoiceFilter name="status" label="Status" options=statuses()
                value=Signal::derive(move || query.with(|query| query.status.clone()))
                on_change=change(|query, value| query.status = value) />
            <ChoiceFilter name="environment" label="Environment"
                options=environments.into_iter().map(|name| (name.clone(), name)).collect()
                value=Signal::derive(move || query.with(|query| query.environment.clone()))
                on_change=change(|query, value| query.environment = value) />
            <TextFilter name="branch" label="Branch" kind="text" hint="Whole name"
                value=Signal::derive(move || query.with(|query| query.branch.clone()))
                on_change=change(|query, value| query.branch = value) />
            <button class="button only-without-scripts" type="submit">"Apply"</button>
        </form>
    }
}

pub(super) fn url(query: &JobQuery) -> String {
    let pairs = [
        ("search", query.search.as_str()),
        ("status", &query.status),
        ("environment", &query.environment),
        ("branch", &query.branch),
    ];
    paths::with_query(paths::HOME, &pairs)
}

#[component]
fn TextFilter(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    hint: &'static str,
    value: Signal<String>,
    on_change: Callback<String>,
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let mut typed = debounce(TYPING_PAUSE, move |text| {
        // Nobody listens any more when the dashboard was left meanwhile.
        let _ = on_change.try_run(text);
    });
    // Back and forward change the URL under the field; what is just being typed is never overwritten.
    Effect::new(move |had: Option<bool>| {
        let (Some(input), value) = (input.get(), value.get()) else { return false };
        if !had.unwrap_or_default() && input.value() != value {
            // Typed before the page was live.
            let _ = on_change.try_run(input.value());
            return true;
        }
        let is_focused = document().active_element().is_some_and(|focused| focused.id() == input.id());
        if !is_focused && input.value() != value {
            input.set_value(&value);
        }
        true
    });
    view! {
        <div class="field">
            <label for=format!("filter-{name}")>{label}</label>
            <input id=format!("filter-{name}") node_ref=input name=name type=kind placeholder=hint autocomplete="off"
                spellcheck="false" value=value.get_untracked()
                on:input=move |event| typed(event_target_value(&event)) />
        </div>
    }
}

#[component]
fn ChoiceFilter(
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
    value: Signal<String>,
    on_change: Callback<String>,
) -> impl IntoView {
    let select = NodeRef::<Select>::new();
    Effect::new(move |had: Option<bool>| {
        let (Some(select), value) = (select.get(), value.get()) else { return false };
        if !had.unwrap_or_default() && select.value() != value {
            // Chosen before the page was live.
            on_change.run(select.value());
        } else if select.value() != value {
            select.set_value(&value);
        }
        true
    });
    let choices = move || {
        let value = value.get();
        let choice = |(option, words): &(String, String)| {
            view! { <option value=option.clone() selected=*option == value>{words.clone()}</option> }
        };
        options.iter().map(choice).collect_view()
    };
    view! {
        <div class="field">
            <label for=format!("filter-{name}")>{label}</label>
            <select id=format!("filter-{name}") name=name node_ref=select
                on:change=move |event| on_change.run(event_target_value(&event))>
                <option value="">"Any"</option>
                {choices}
            </select>
        </div>
    }
}
