//! Search and filters above the list. They live in the URL; without JavaScript the form itself puts them there.

use crate::client::JobQuery;
use crate::components::filter::{ChoiceFilter, TextFilter};
use crate::pages::narrowing;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::JobStatus;

#[component]
pub(super) fn Filters(query: Memo<JobQuery>, environments: Memo<Vec<String>>) -> impl IntoView {
    let change = narrowing(query, url);
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
