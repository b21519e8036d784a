//! One job: what it is, how far it has come, what can be done with it, its scenarios and its logs, kept up to date.

use crate::client::{self, ClientError, Fetched, Loaded};
use crate::components::notice::{Failure, Loading};
use crate::components::progress::{counted, job_progress};
use crate::components::status_badge::job_status_badge;
use crate::components::tabs::{TabList, tab_panel};
use crate::components::task_table::TaskTable;
use crate::pages::NotFoundPage;
use crate::pages::dashboard::Freshness;
use crate::poll::{self, Clock, Live};
use crate::session::{Session, answer_for};
use leptos::either::{Either, EitherOf3};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use protocol::JobId;
use protocol::api::{ErrorCode, Job, LogsState, User};

mod actions;
mod log_search;
mod logs;
mod overview;
mod view_state;

use actions::JobActions;
use logs::{LogSeed, Logs};
use overview::overview;
use view_state::{TABS, ViewState};

#[component]
pub(crate) fn JobPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.with(|params| params.get_str("id")?.parse::<JobId>().ok()));
    let session = expect_context::<Session>();
    let job = Resource::new(move || id.get(), load);
    // Asked for beside the job, so that the first answer holds it and neither waits for the other.
    let log = Resource::new(move || view_state::open_log(id.get(), query), logs::load);
    let retry = Callback::new(move |()| job.refetch());
    view! {
        <Transition fallback=|| view! { <Loading what="Loading the job" /> }>
            {move || Suspend::new(async move {
                let user = session.user().await;
                match job.await {
                    Ok(Some(seed)) => EitherOf3::A(view! { <JobView seed log user /> }),
                    Ok(None) => EitherOf3::B(view! { <NotFoundPage /> }),
                    Err(error) => EitherOf3::C(view! { <NoJob error retry /> }),
                }
            })}
        </Transition>
    }
}

/// `None`: there is no such job.
async fn load(id: Option<JobId>) -> Result<Option<Loaded<Job>>, ClientError> {
    let Some(id) = id else { return Ok(None) };
    match client::find_job(id, None).await.and_then(Fetched::loaded) {
        Err(error) if error.is(ErrorCode::NotFound) => Ok(None),
        found => found.map(Some),
    }
}

#[component]
fn NoJob(error: ClientError, retry: Callback<()>) -> impl IntoView {
    answer_for(&error);
    view! { <Failure title="The job can't be shown" message=error.message() retry /> }
}

#[component]
fn JobView(seed: Loaded<Job>, log: LogSeed, user: Option<User>) -> impl IntoView {
    let id = seed.body.summary.id;
    let ask = move |_: &Job, etag| client::find_job(id, etag);
    let live = poll::live(seed, ask, |job: &mut Job, fresh| *job = fresh, is_over);
    let is_gone = Memo::new(move |_| live.trouble.with(|trouble| trouble.as_ref().is_some_and(is_not_found)));
    move || {
        if is_gone.get() {
            Either::Left(view! { <Gone id /> })
        } else {
            Either::Right(view! { <Present live log id user=user.clone() /> })
        }
    }
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
    view! {
        <section class="failure" role="status">
            <h1>{format!("Job #{id} is deleted")}</h1>
            <p>"Its logs and results are gone with it."</p>
            <a class="button is-primary" href=crate::paths::HOME>"To the jobs"</a>
        </section>
    }
}

#[component]
fn Present(live: Live<Job>, log: LogSeed, id: JobId, user: Option<User>) -> impl IntoView {
    let status = Memo::new(move |_| live.value.with(|job| job.summary.status));
    let counts = Memo::new(move |_| live.value.with(|job| job.summary.counts));
    let title = move || format!("{} – Job #{id}", crate::words::job_status(status.get()));
    let state = ViewState::of_url(id);
    let clock = expect_context::<Clock>();
    let tasks = Memo::new(move |_| live.value.with(|job| job.tasks.clone()));
    view! {
        <Title text=title />
        <div class="page-head job-head">
            <div class="job-title">
                <h1>{format!("Job #{id}")}</h1>
                <div role="status" class="job-state">{move || job_status_badge(status.get())}</div>
            </div>
            <JobActions live id user />
        </div>
        <Freshness
            synced_at=Signal::derive(move || live.synced_at.get().filter(|_| !status.get().is_terminal()))
            trouble=live.trouble
            answered_at=live.answered_at
        />
        <div class="job-progress">
            {move || job_progress(counts.get())}
            <p class="job-counts">{move || counted(counts.get())}</p>
        </div>
        {move || live.value.with(|job| overview(&job.summary, clock))}
        <TabList label="Views of the job" tabs=TABS chosen=state.tab hrefs=state.tab_hrefs />
        {move || {
            if state.tab.get() == view_state::LOGS {
                Either::Left(tab_panel(view_state::LOGS, view! { <Logs job=live tasks state seed=log /> }))
            } else {
                let table = view! { <TaskTable tasks log_href=state.log_href /> };
                Either::Right(tab_panel(view_state::SCENARIOS, table))
            }
        }}
    }
}
