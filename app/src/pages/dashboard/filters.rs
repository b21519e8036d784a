//! Search and filters above the list. They live in the URL; without JavaScript the form itself puts them there.

use crate::client::JobQuery;
use crate::components::filter::{ChoiceFilter, TextFilter};
use crate::{paths, words};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::JobStatus;

#[component]
pub(super) fn Filters(query: Memo<JobQuery>, environments: Memo<Vec<String>>) -> impl IntoView {
    let navigate = use_navigate();
    let go = Callback::new(move |query: JobQuery| {
        navigate(&url(&query), NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    });
    // The address follows a moment later, and what was typed in several fields before the page was live comes at once.
    let wanted = StoredValue::new(query.get_untracked());
    Effect::new(move |_| wanted.set_value(query.get()));
    let change = move |apply: fn(&mut JobQuery, String)| {
        Callback::new(move |value: String| {
            let mut next = wanted.get_value();
            apply(&mut next, value.trim().to_owned());
            wanted.set_value(next.clone());
            go.run(next);
        })
    };
    let statuses =
        JobStatus::ALL.iter().map(|status| (status.as_str().to_owned(), words::job_status(*status).to_owned()));
    view! {
        <form class="filters" role="search" method="get" action=paths::HOME on:submit=|event| event.prevent_default()>
            <TextFilter name="search" label="Search jobs" kind="search" hint="Job number or user name"
                value=Signal::derive(move || query.with(|query| query.search.clone()))
                on_change=change(|query, value| query.search = value) />
            <ChoiceFilter name="status" label="Status" options=Signal::stored(statuses.collect())
                value=Signal::derive(move || query.with(|query| query.status.clone()))
                on_change=change(|query, value| query.status = value) />
            <ChoiceFilter name="environment" label="Environment"
                options=Signal::derive(move || environments.get().into_iter().map(|name| (name.clone(), name)).collect())
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
