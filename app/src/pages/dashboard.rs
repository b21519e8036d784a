//! The dashboard: search, filters and the list of jobs, kept up to date. What is searched for is in the URL.

use crate::boxed::memo;
use crate::client::{self, ClientError, JobQuery, Loaded};
use crate::components::job_table::job_table;
use crate::components::notice::failure;
use crate::html::{Child, Html, el, live, view_of};
use crate::navigation::Navigation;
use crate::paths;
use crate::pending::Pending;
use crate::poll::{self, Live};
use crate::reload::{Reload, reload};
use crate::url::Url;
use leptos::prelude::*;
use protocol::api::{DEFAULT_PAGE, JobList, MAX_PAGE};

mod filters;
mod freshness;
mod merge;

use filters::filters;
pub(super) use freshness::freshness;

#[derive(Clone)]
pub(crate) struct Seed {
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

impl Seed {
    pub(super) fn error(&self) -> Option<&ClientError> {
        self.found.jobs.as_ref().err()
    }
}

pub(super) async fn load(url: &Url) -> Seed {
    let found = find(query_of(url)).await;
    let environments = client::list_environments().await.map(|list| list.environments).unwrap_or_default();
    Seed { found, environments: environments.into_iter().map(|one| one.name).collect() }
}

async fn find(query: JobQuery) -> Found {
    let jobs = client::list_jobs(&query, DEFAULT_PAGE as usize, None).await.and_then(client::Fetched::loaded);
    Found { query, jobs }
}

fn query_of(url: &Url) -> JobQuery {
    let text = |name| url.get(name).to_owned();
    JobQuery {
        search: text("search"),
        status: text("status"),
        environment: text("environment"),
        branch: text("branch"),
    }
}

pub(super) fn dashboard_page(seed: Seed) -> AnyView {
    let url = Navigation::of_context().url;
    let query = memo(move || url.with(query_of));
    let Reload { value: found, again } = reload(query, seed.found, find);
    let head = el("div")
        .class("page-head")
        .child(el("h1").child("Jobs"))
        .child(el("a").class("button is-primary").attr("href", paths::NEW_JOB).child("New job"));
    let list = view_of(
        move || found.get(),
        move |Found { query, jobs }| match jobs {
            Ok(seed) => job_list(seed, query),
            Err(error) => failure("The jobs can't be shown", error.message(), again).drawn(),
        },
    );
    vec![head.drawn(), filters(query, seed.environments).drawn(), list].drawn()
}

fn job_list(seed: Loaded<JobList>, query: JobQuery) -> AnyView {
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
    let is_empty = memo(move || live.value.with(|list| list.jobs.is_empty()));
    let table = view_of(
        move || is_empty.get(),
        move |is_empty| {
            if is_empty { empty(is_narrowed) } else { job_table(jobs, paths::job) }
        },
    );
    vec![freshness(live.synced_at.into(), live.trouble.into(), live.answered_at.into()), table, load_more(live, query)]
        .drawn()
}

fn empty(is_narrowed: bool) -> Html {
    let (title, advice) = if is_narrowed {
        ("Nothing found", "Try another search or fewer filters.")
    } else {
        ("Nothing here yet", "Submit the first one with \"New job\".")
    };
    el("div").class("empty").child(el("h2").child(title)).child(el("p").child(advice))
}

fn load_more(list: Live<JobList>, query: JobQuery) -> AnyView {
    let cursor = memo(move || list.value.with(|list| list.next_cursor.clone()));
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
    live(move || {
        cursor.get().map(|cursor| {
            let button = el("button")
                .class("button")
                .attr("type", "button")
                .attr("aria-disabled", pending.as_aria())
                .on("click", move |_| load.run(cursor.clone()))
                .child(if pending.get() { "Loading…" } else { "Load more" });
            el("div")
                .class("load-more")
                .child(button)
                .child(el("p").class("field-note").attr("role", "status").child(error.get()))
        })
    })
}
