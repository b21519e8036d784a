//! The dashboard: search, filters and the list of jobs, kept up to date. What is searched for is in the URL.

use super::{At, Seed};
use crate::client::{self, ClientError, JobQuery, Loaded};
use crate::components::job_table::JobTable;
use crate::components::notice::Failure;
use crate::paths;
use crate::pending::Pending;
use crate::poll::{self, Live};
use crate::reload::{Reload, reload};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use protocol::api::{DEFAULT_PAGE, JobList, MAX_PAGE};

mod filters;
mod freshness;
mod merge;

use filters::Filters;
pub(super) use freshness::Freshness;

pub(crate) struct Dashboard {
    found: Found,
    /// Names to filter by; empty where they can't be had.
    environments: Vec<String>,
}

/// What was searched for, and what there is.
#[derive(Clone)]
struct Found {
    query: JobQuery,
    jobs: Result<Loaded<JobList>, ClientError>,
}

impl Seed for Dashboard {
    fn error(&self) -> Option<&ClientError> {
        self.found.jobs.as_ref().err()
    }
}

pub(crate) async fn load(at: At) -> Dashboard {
    let found = find(query_of(&at.query)).await;
    let environments = client::list_environments().await.map(|list| list.environments).unwrap_or_default();
    Dashboard { found, environments: environments.into_iter().map(|one| one.name).collect() }
}

async fn find(query: JobQuery) -> Found {
    let jobs = client::list_jobs(&query, DEFAULT_PAGE as usize, None).await.and_then(client::Fetched::loaded);
    Found { query, jobs }
}

fn query_of(query: &ParamsMap) -> JobQuery {
    let text = |name| query.get_str(name).unwrap_or_default().to_owned();
    JobQuery {
        search: text("search"),
        status: text("status"),
        environment: text("environment"),
        branch: text("branch"),
    }
}

pub(crate) fn draw(seed: Dashboard) -> AnyView {
    view! { <DashboardPage seed /> }.into_any()
}

#[component]
fn DashboardPage(seed: Dashboard) -> impl IntoView {
    let params = use_query_map();
    let query = Memo::new(move |_| params.with(query_of));
    let Reload { value: found, again } = reload(query, seed.found, find);
    let list = move || match found.get() {
        Found { query, jobs: Ok(seed) } => view! { <Jobs seed query /> }.into_any(),
        Found { jobs: Err(error), .. } => {
            view! { <Failure title="The jobs can't be shown" message=error.message() retry=again /> }.into_any()
        }
    };
    view! {
        <Title text="Jobs" />
        <div class="page-head">
            <h1>"Jobs"</h1>
            <a class="button is-primary" href=paths::NEW_JOB>"New job"</a>
        </div>
        <Filters query environments=seed.environments />
        {list}
    }
}

#[component]
fn Jobs(seed: Loaded<JobList>, query: JobQuery) -> impl IntoView {
    let is_narrowed = query != JobQuery::default();
    let asked = query.clone();
    let ask = move |shown: &JobList, etag| {
        // As many as are shown, so that all of them stay true, within what one page may have.
        let limit = shown.jobs.len().clamp(DEFAULT_PAGE as usize, MAX_PAGE as usize);
        let query = asked.clone();
        async move { client::list_jobs(&query, limit, etag).await }
    };
    let live: Live<JobList> = poll::live(seed, ask, merge::merge, |_| false);
    let jobs = Memo::new(move |_| live.value.with(|list| list.jobs.clone()));
    let is_empty = Memo::new(move |_| live.value.with(|list| list.jobs.is_empty()));
    let table = move || {
        if is_empty.get() {
            view! { <Empty is_narrowed /> }.into_any()
        } else {
            view! { <JobTable jobs href=paths::job /> }.into_any()
        }
    };
    view! {
        <Freshness synced_at=live.synced_at trouble=live.trouble answered_at=live.answered_at />
        {table}
        <LoadMore list=live query />
    }
}

#[component]
fn Empty(is_narrowed: bool) -> impl IntoView {
    let (title, advice) = if is_narrowed {
        ("Nothing found", "Try another search or fewer filters.")
    } else {
        ("Nothing here yet", "Submit the first one with \"New job\".")
    };
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <p>{advice}</p>
        </div>
    }
}

#[component]
fn LoadMore(list: Live<JobList>, query: JobQuery) -> impl IntoView {
    let cursor = Memo::new(move |_| list.value.with(|list| list.next_cursor.clone()));
    let pending = Pending::new();
    let error = RwSignal::new(None::<String>);
    let load = Callback::new(move |cursor: String| {
        let query = query.clone();
        error.set(None);
        pending.run(async move {
            match client::list_jobs_after(&query, &cursor).await {
                Ok(page) => list.value.update(|list| merge::append(list, page)),
                Err(failed) => error.set(Some(failed.message())),
            }
        });
    });
    let more = move |cursor: String| {
        view! {
            <div class="load-more">
                <button class="button" type="button" aria-disabled=move || pending.as_aria()
                    on:click=move |_| load.run(cursor.clone())>
                    {move || if pending.get() { "Loading…" } else { "Load more" }}
                </button>
                <p class="field-note" role="status">{move || error.get()}</p>
            </div>
        }
    };
    view! { {move || cursor.get().map(more)} }
}
