//! The dashboard: search, filters and the list of jobs, kept up to date. What is searched for is in the URL.

use crate::client::{self, ClientError, JobQuery, Loaded};
use crate::components::job_table::JobTable;
use crate::components::notice::{Failure, Loading};
use crate::paths;
use crate::pending::Pending;
use crate::poll::{self, Live};
use crate::session::answer_for;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use protocol::api::{DEFAULT_PAGE, JobList, MAX_PAGE};

mod filters;
mod freshness;
mod merge;

use filters::Filters;
pub(super) use freshness::Freshness;

#[component]
pub(crate) fn DashboardPage() -> impl IntoView {
    let params = use_query_map();
    let query = Memo::new(move |_| {
        params.with(|params| {
            let text = |name| params.get_str(name).unwrap_or_default().to_owned();
            JobQuery {
                search: text("search"),
                status: text("status"),
                environment: text("environment"),
                branch: text("branch"),
            }
        })
    });
    let jobs = Resource::new(
        move || query.get(),
        |query| async move { client::list_jobs(&query, DEFAULT_PAGE as usize, None).await?.loaded() },
    );
    let environments = Resource::new(|| (), |()| client::list_environments());
    let retry = Callback::new(move |()| jobs.refetch());
    view! {
        <Title text="Jobs" />
        <div class="page-head">
            <h1>"Jobs"</h1>
            <a class="button is-primary" href=paths::NEW_JOB>"New job"</a>
        </div>
        <Filters query environments />
        <Transition fallback=|| view! { <Loading what="Loading jobs" /> }>
            {move || {
                let query = query.get_untracked();
                Suspend::new(async move {
                    match jobs.await {
                        Ok(seed) => Either::Left(view! { <Jobs seed query /> }),
                        Err(error) => Either::Right(view! { <NoJobs error retry /> }),
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn NoJobs(error: ClientError, retry: Callback<()>) -> impl IntoView {
    answer_for(&error);
    view! { <Failure title="The jobs can't be shown" message=error.message() retry /> }
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
    let jobs = Signal::derive(move || live.value.with(|list| list.jobs.clone()));
    let is_empty = Memo::new(move |_| live.value.with(|list| list.jobs.is_empty()));
    view! {
        <Freshness synced_at=live.synced_at trouble=live.trouble answered_at=live.answered_at />
        {move || if is_empty.get() {
            Either::Left(view! { <Empty is_narrowed /> })
        } else {
            Either::Right(view! { <JobTable jobs href=paths::job /> })
        }}
        <LoadMore live query />
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
fn LoadMore(live: Live<JobList>, query: JobQuery) -> impl IntoView {
    let cursor = Memo::new(move |_| live.value.with(|list| list.next_cursor.clone()));
    let pending = Pending::new();
    let error = RwSignal::new(None::<String>);
    let load = Callback::new(move |cursor: String| {
        let query = query.clone();
        error.set(None);
        pending.run(async move {
            match client::list_jobs_after(&query, &cursor).await {
                Ok(page) => live.value.update(|list| merge::append(list, page)),
                Err(failed) => error.set(Some(failed.message())),
            }
        });
    });
    move || {
        cursor.get().map(|cursor| {
            view! {
                <div class="load-more">
                    <button class="button" type="button" aria-disabled=pending.as_aria()
                        on:click=move |_| load.run(cursor.clone())>
                        {if pending.get() { "Loading…" } else { "Load more" }}
                    </button>
                    <p class="field-note" role="status">{error.get()}</p>
                </div>
            }
        })
    }
}
