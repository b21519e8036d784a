//! One job: what it is, how far it has come, what can be done with it, its scenarios and its logs, kept up to date.

use super::not_found::NotFoundPage;
use super::{At, Seed, title_of};
use crate::client::{self, ClientError, Fetched, Loaded};
use crate::components::notice::Failure;
use crate::components::progress::JobProgress;
use crate::components::status_badge::JobStatusBadge;
use crate::components::tab_icon::show_status;
use crate::components::tabs::{TabList, TabPanel};
use crate::components::task_table::{TaskLinks, TaskTable};
use crate::paths::{self, Query};
use crate::poll::{self, Live};
use crate::reload::{Reload, reload};
use crate::session::Session;
use crate::words;
use futures_util::future::join;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use leptos_router::params::ParamsMap;
use protocol::JobId;
use protocol::api::{ErrorCode, Job, LogsState};

mod actions;
mod finder;
mod listing;
mod log_search;
mod logs;
mod outcome_filter;
mod overview;
mod remarks;
mod results;
mod verdict;
mod view_state;

#[cfg(not(feature = "ssr"))]
pub(crate) use logs::{DrawLog, draw_log, draw_logs_by};

use actions::JobActions;
use listing::{Narrowing, listed};
use logs::{LogPlaces, Logs, OpenedLog};
use overview::Overview;
use remarks::Remarks;
use verdict::verdict;
use view_state::{TABS, ViewState};

pub(crate) struct JobSeed {
    job: Found,
    log: OpenedLog,
}

/// None: there is no such job.
type Found = Result<Option<Loaded<Job>>, ClientError>;

impl Seed for JobSeed {
    fn error(&self) -> Option<&ClientError> {
        self.job.as_ref().err()
    }
}

pub(crate) async fn load(at: At) -> JobSeed {
    let id = id_of(&at.params);
    let tab = view_state::first_tab(&at.query, expect_context());
    let log = logs::load(view_state::open_log(id, tab, &at.query));
    let (job, log) = join(find(id), log).await;
    JobSeed { job, log }
}

fn id_of(params: &ParamsMap) -> Option<JobId> {
    params.get_str("id")?.parse().ok()
}

async fn find(id: Option<JobId>) -> Found {
    let Some(id) = id else { return Ok(None) };
    match client::find_job(id, None).await.and_then(Fetched::loaded) {
        Err(error) if error.is(ErrorCode::NotFound) => Ok(None),
        found => found.map(Some),
    }
}

pub(crate) fn draw(seed: JobSeed) -> AnyView {
    view! { <JobPage seed /> }.into_any()
}

#[component]
fn JobPage(seed: JobSeed) -> impl IntoView {
    let params = use_params_map();
    // A rerun leads from one job to another without leaving the page.
    let id = Memo::new(move |_| params.with(id_of));
    let query = Query::of_path(move || id.get().map(paths::job).unwrap_or_default());
    let Reload { value: job, again } = reload(id, seed.job, find);
    let tab = view_state::tab_of_url(id, query);
    // Beside the job, so that the first answer holds it.
    let open = Memo::new(move |_| query.with(|query| view_state::open_log(id.get(), tab.get(), query)));
    let log = reload(open, seed.log, logs::load);
    let view = move || match job.get() {
        Ok(Some(seed)) => view! { <JobView seed tab log=log.value ask_log_again=log.again /> }.into_any(),
        Ok(None) => view! { <NotFoundPage /> }.into_any(),
        Err(error) => {
            let title = "The job can't be shown";
            view! { <Title text=title /><Failure title message=error.message() retry=again /> }.into_any()
        }
    };
    view! { {view} }
}

#[component]
fn JobView(
    seed: Loaded<Job>,
    tab: Memo<&'static str>,
    log: RwSignal<OpenedLog>,
    ask_log_again: Callback<()>,
) -> impl IntoView {
    let id = seed.body.summary.id;
    let ask = move |_: &Job, etag| client::find_job(id, etag);
    let live = poll::live(seed, ask, |job: &mut Job, fresh| *job = fresh, is_over);
    let is_gone = Memo::new(move |_| live.trouble.with(|trouble| trouble.as_ref().is_some_and(is_not_found)));
    let view = move || {
        if is_gone.get() {
            view! { <Gone id /> }.into_any()
        } else {
            view! { <Present job=live tab log ask_log_again id /> }.into_any()
        }
    };
    view! { {view} }
}

/// Nothing about it will change any more.
fn is_over(job: &Job) -> bool {
    job.summary.status.is_terminal() && job.summary.logs.state != LogsState::Mirroring && !job.summary.delete_requested
}

fn is_not_found(error: &ClientError) -> bool {
    error.is(ErrorCode::NotFound)
}

/// It was there and has been deleted while it was being looked at.
#[component]
fn Gone(id: JobId) -> impl IntoView {
    let title = format!("Job #{id} is deleted");
    view! {
        <Title text=title.clone() />
        <section class="failure" role="status">
            <h1>{title}</h1>
            <p>"Its logs and results are gone with it."</p>
            <a class="button is-primary" href=paths::HOME>"To the jobs"</a>
        </section>
    }
}

#[component]
fn Present(
    job: Live<Job>,
    tab: Memo<&'static str>,
    log: RwSignal<OpenedLog>,
    ask_log_again: Callback<()>,
    id: JobId,
) -> impl IntoView {
    let user = expect_context::<Session>().user;
    let seed = job.value.with_untracked(|job| job.summary.clone());
    let (branch, environment, commit) = (seed.branch_name.clone(), seed.environment.clone(), seed.commit.clone());
    let summary = Memo::new(move |_| job.value.with(|job| job.summary.clone()));
    let status = Memo::new(move |_| summary.with(|job| job.status));
    let counts = Memo::new(move |_| summary.with(|job| job.counts));
    let told = Memo::new(move |_| summary.with(verdict));
    let tasks = Memo::new(move |_| job.value.with(|job| job.tasks.clone()));
    let state = ViewState::of_url(id, tab);
    provide_context(LogPlaces::new());
    let listed = listed(tasks, status, state.listing);
    // What one looks for among one's tabs comes first.
    let title = {
        let branch = branch.clone();
        title_of(move || format!("{} #{id} {branch}", words::job_sign(status.get())))
    };
    show_status(status);
    let links = TaskLinks {
        log: state.log_href,
        history: Callback::new(move |scenario: String| paths::scenario(&environment, &scenario, &branch)),
        job: paths::job,
        compare: Callback::new(move |other: JobId| paths::compare(other, id)),
    };
    let panel = move || {
        let commit = commit.clone();
        if state.tab.get() == view_state::LOGS {
            view! { <TabPanel key=view_state::LOGS><Logs job tasks state log ask_log_again /></TabPanel> }.into_any()
        } else {
            view! {
                <TabPanel key=view_state::SCENARIOS>
                    <Narrowing state counts listed />
                    <TaskTable tasks listed commit links />
                </TabPanel>
            }
            .into_any()
        }
    };
    view! {
        <Title text=title />
        <div class="page-head job-head">
            <div class="job-title">
                <h1>{format!("Job #{id}")}</h1>
                <div role="status" class="job-state">
                    {move || view! { <JobStatusBadge status=status.get() /> }}
                    <span>{told}</span>
                </div>
            </div>
            <JobActions job id user />
        </div>
        <Overview job seed />
        <Remarks job=summary />
        <div class="job-progress">
            {move || view! { <JobProgress counts=counts.get() /> }}
        </div>
        <TabList label="Views of the job" tabs=TABS chosen=state.tab hrefs=state.tab_hrefs />
        {panel}
    }
}
