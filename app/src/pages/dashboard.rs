//! The dashboard: search, filters and the list of jobs, kept up to date. What is searched for is in the URL.

use super::{At, Seed};
use crate::client::{self, ClientError, Fetched, JobQuery, Loaded};
use crate::components::chips::{Chip, Chips};
use crate::components::environment_line::EnvironmentLine;
use crate::components::icon::Icon;
use crate::components::job_table::JobTable;
use crate::components::notice::Failure;
use crate::paths::{self, Query};
use crate::pending::Pending;
use crate::poll::{self, Live};
use crate::reload::{Reload, reload};
use crate::session::Session;
use crate::{browser, words};
use futures_util::future::join;
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::api::{DEFAULT_PAGE, Environment, Environments, JobList, MAX_PAGE};

mod filters;
mod freshness;
mod merge;
mod place;

use filters::Filters;
pub(crate) use freshness::Freshness;

pub(crate) struct Dashboard {
    found: Found,
    /// None where they can't be had: the jobs can be read all the same.
    environments: Vec<Environment>,
}

/// Where the list goes on.
const MORE: &str = "more";

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
    let query = query_of(&at.query);
    // As many as there were when one left it, so that one comes back to the same place.
    let count = place::remembered(&query).map_or(DEFAULT_PAGE as usize, |place| place.count);
    let (found, environments) = join(find_so_many(query, count), client::list_environments()).await;
    Dashboard { found, environments: environments.map(|list| list.environments).unwrap_or_default() }
}

async fn find(query: JobQuery) -> Found {
    find_so_many(query, DEFAULT_PAGE as usize).await
}

/// Page by page where there are more than one may have; as far as it comes where one of them can't be had.
async fn find_so_many(query: JobQuery, count: usize) -> Found {
    let limit = count.clamp(DEFAULT_PAGE as usize, MAX_PAGE as usize);
    let mut jobs = client::list_jobs(&query, limit, None).await.and_then(Fetched::loaded);
    if let Ok(Loaded { body: list, .. }) = &mut jobs {
        while let Some(cursor) = list.next_cursor.clone().filter(|_| list.jobs.len() < count) {
            let missing = (count - list.jobs.len()).min(MAX_PAGE as usize);
            match client::list_jobs_after(&query, missing, &cursor).await {
                Ok(page) => merge::append(list, page),
                Err(_) => break,
            }
        }
    }
    Found { query, jobs }
}

fn query_of(query: &Query) -> JobQuery {
    let text = |name| query.text(name);
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
    let address = Query::here();
    let query = Memo::new(move |_| address.with(query_of));
    let Reload { value: found, again } = reload(query, seed.found, find);
    let seed = Loaded { body: seed.environments, etag: None, synced_at: None };
    let ask = |_: &Vec<Environment>, etag| client::watch_environments(etag);
    let merge = |shown: &mut Vec<Environment>, fresh: Environments| *shown = fresh.environments;
    let environments = poll::live(seed, ask, merge, |_| false);
    let environments = Memo::new(move |_| environments.value.get());
    let names = Memo::new(move |_| environments.with(|all| all.iter().map(|one| one.name.clone()).collect::<Vec<_>>()));
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
            <EnvironmentLine environments href=jobs_of />
            <a class="button is-primary" href=paths::NEW_JOB>
                <Icon name="plus" />
                "New job"
            </a>
        </div>
        <Filters query environments=names />
        {list}
    }
}

fn jobs_of(environment: &str) -> String {
    paths::with_query(paths::HOME, &[("environment", environment)])
}

#[component]
fn Jobs(seed: Loaded<JobList>, query: JobQuery) -> impl IntoView {
    let narrowed = query.clone();
    let asked = query.clone();
    let ask = move |shown: &JobList, etag| {
        // As many as are shown, so that all of them stay true, within what one page may have.
        let limit = shown.jobs.len().clamp(DEFAULT_PAGE as usize, MAX_PAGE as usize);
        let query = asked.clone();
        async move { client::list_jobs(&query, limit, etag).await }
    };
    let merge = |shown: &mut JobList, fresh: JobList| {
        // New jobs come in above what is being read.
        browser::keep_place(".job-table tbody tr");
        merge::merge(shown, fresh);
    };
    let live: Live<JobList> = poll::live(seed, ask, merge, |_| false);
    let jobs = Memo::new(move |_| live.value.with(|list| list.jobs.clone()));
    let is_empty = Memo::new(move |_| live.value.with(|list| list.jobs.is_empty()));
    place::keep(query.clone(), live);
    let table = move || {
        if is_empty.get() {
            view! { <Empty query=narrowed.clone() /> }.into_any()
        } else {
            view! { <JobTable jobs href=paths::job /> }.into_any()
        }
    };
    view! {
        <div class="list-head">
            <Rule query=query.clone() />
            <Freshness synced_at=live.synced_at trouble=live.trouble answered_at=live.answered_at />
        </div>
        {table}
        <LoadMore list=live query />
    }
}

/// Whose jobs these are and in which order, and what narrows them.
#[component]
fn Rule(query: JobQuery) -> impl IntoView {
    let is_admin = expect_context::<Session>().user.is_some_and(|user| user.is_admin);
    let whose = match (query.search.as_str(), is_admin) {
        ("", true) => "Everybody's jobs, newest first.".to_owned(),
        ("", false) => "Your jobs, newest first. Search to see everybody's.".to_owned(),
        (search, _) => format!("Everybody's jobs that match \u{201c}{search}\u{201d}, newest first."),
    };
    view! {
        <span>{whose}</span>
        <Chips label="Filters" chips=Signal::stored(chips(&query)) />
    }
}

fn chips(query: &JobQuery) -> Vec<Chip> {
    let status =
        query.status.parse().map_or_else(|_| query.status.clone(), |status| words::job_status(status).to_owned());
    let without = |change: fn(&mut JobQuery)| {
        let mut query = query.clone();
        change(&mut query);
        filters::url(&query)
    };
    let chips = [
        ("Search", query.search.clone(), without(|query| query.search.clear())),
        ("Status", status, without(|query| query.status.clear())),
        ("Environment", query.environment.clone(), without(|query| query.environment.clear())),
        ("Branch", query.branch.clone(), without(|query| query.branch.clear())),
    ];
    let is_set = |(_, value, _): &(&str, String, String)| !value.is_empty();
    let chip = |(name, value, without): (&str, String, String)| Chip { words: format!("{name}: {value}"), without };
    chips.into_iter().filter(is_set).map(chip).collect()
}

#[component]
fn Empty(query: JobQuery) -> impl IntoView {
    if query == JobQuery::default() {
        return view! {
            <div class="empty">
                <h2>"Nothing here yet"</h2>
                <p>"Choose a branch and some of its scenarios, and see here how they fare on the hardware."</p>
                <a class="button is-primary" href=paths::NEW_JOB>"Submit the first job"</a>
            </div>
        }
        .into_any();
    }
    // A plain user who filters sees no more than their own.
    let is_admin = expect_context::<Session>().user.is_some_and(|user| user.is_admin);
    let advice =
        if query.search.is_empty() && !is_admin { "Only your own jobs are listed without a search." } else { "" };
    view! {
        <div class="empty">
            <h2>"Nothing found"</h2>
            <p>"Try another search or fewer filters. "{advice}</p>
            <a class="button" href=paths::HOME>"Clear all filters"</a>
        </div>
    }
    .into_any()
}

#[component]
fn LoadMore(list: Live<JobList>, query: JobQuery) -> impl IntoView {
    let cursor = Memo::new(move |_| list.value.with(|list| list.next_cursor.clone()));
    let pending = Pending::new();
    // One may have come back to more than keep themselves up to date.
    let note = RwSignal::new(list.value.with_untracked(|list| told(list.jobs.len(), false)));
    let load = Callback::new(move |cursor: String| {
        let query = query.clone();
        note.set(None);
        pending.run(async move {
            match client::list_jobs_after(&query, DEFAULT_PAGE as usize, &cursor).await {
                Ok(page) => {
                    let is_last = page.next_cursor.is_none();
                    let added = list.value.try_update(|list| {
                        merge::append(list, page);
                        list.jobs.len()
                    });
                    // The list may have been left meanwhile.
                    let Some(count) = added else { return };
                    note.set(told(count, is_last));
                    // The button goes after the last page, and takes the focus with it.
                    request_animation_frame(|| browser::focus_if_lost(MORE));
                }
                Err(failed) => note.set(Some(failed.message())),
            }
        });
    });
    let button = move |cursor: String| {
        view! {
            <button class="button" type="button" aria-disabled=move || pending.as_aria()
                on:click=move |_| load.run(cursor.clone())>
                {move || if pending.get() { "Loading…" } else { "Load more" }}
            </button>
        }
    };
    view! {
        <div class="load-more" id=MORE tabindex="-1">
            {move || cursor.get().map(button)}
            <p class="field-note" role="status">{move || note.get()}</p>
        </div>
    }
}

/// What there is to say below so many jobs.
fn told(count: usize, is_last: bool) -> Option<String> {
    if count > MAX_PAGE as usize {
        return Some(format!("Only the newest {MAX_PAGE} keep themselves up to date. Reload the page for the others."));
    }
    is_last.then(|| "There are no more.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_can_be_taken_away_by_itself() {
        let query = JobQuery { search: "ada".to_owned(), status: "in_progress".to_owned(), ..JobQuery::default() };
        let chip = |words: &str, without: &str| Chip { words: words.to_owned(), without: without.to_owned() };
        assert_eq!(
            chips(&query),
            [chip("Search: ada", "/?status=in_progress"), chip("Status: In progress", "/?search=ada")]
        );
        assert_eq!(chips(&JobQuery::default()), []);
    }
}
