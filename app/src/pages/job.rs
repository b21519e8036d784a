//! One job: what it is, how far it has come, what can be done with it, its scenarios and its logs, kept up to date.

use crate::boxed::{effect, memo};
use crate::client::{self, ClientError, Fetched, Loaded};
use crate::components::notice::failure;
use crate::components::progress::{counted, job_progress};
use crate::components::status_badge::job_status_badge;
use crate::components::tabs::{tab_list, tab_panel};
use crate::components::task_table::task_table;
use crate::html::{Child, Html, el, live, view_of};
use crate::navigation::Navigation;
use crate::pages::dashboard::freshness;
use crate::pages::window_title;
use crate::poll::{self, Clock, Live};
use crate::reload::{Reload, reload};
use crate::session::Session;
use crate::url::Url;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::api::{ErrorCode, Job, LogsState, User};
use protocol::{JobId, JobStatus};

mod actions;
mod log_search;
mod logs;
mod overview;
mod view_state;

use actions::job_actions;
use logs::OpenedLog;
use overview::overview;
use view_state::{TABS, ViewState};

#[derive(Clone)]
pub(crate) struct Seed {
    id: JobId,
    job: Found,
    log: OpenedLog,
}

/// None: there is no such job.
type Found = Result<Option<Loaded<Job>>, ClientError>;

impl Seed {
    pub(super) fn title(&self) -> String {
        match &self.job {
            Ok(Some(job)) => title(self.id, job.body.summary.status),
            Ok(None) | Err(_) => format!("Job #{}", self.id),
        }
    }

    pub(super) fn error(&self) -> Option<&ClientError> {
        self.job.as_ref().err()
    }
}

/// `Passed – Job #42`: what one looks for among one's tabs comes first.
fn title(id: JobId, status: JobStatus) -> String {
    format!("{} – Job #{id}", words::job_status(status))
}

/// None: there is no such job.
pub(super) async fn load(id: JobId, url: &Url) -> Option<Seed> {
    let open = view_state::open_log(id, url);
    match find(id).await {
        Ok(None) => None,
        job => Some(Seed { id, job, log: logs::load(open).await }),
    }
}

async fn find(id: JobId) -> Found {
    match client::find_job(id, None).await.and_then(Fetched::loaded) {
        Err(error) if error.is(ErrorCode::NotFound) => Ok(None),
        found => found.map(Some),
    }
}

pub(super) fn job_page(seed: Seed) -> AnyView {
    let id = seed.id;
    let url = Navigation::of_context().url;
    let user = expect_context::<Session>().user;
    let Reload { value: job, again: ask_job_again } = reload(memo(move || id), seed.job, find);
    // Beside the job, so that the first answer holds it.
    let log = reload(memo(move || url.with(|url| view_state::open_log(id, url))), seed.log, logs::load);
    let (log, ask_log_again) = (log.value, log.again);
    view_of(
        move || job.get(),
        move |job| match job {
            Ok(Some(seed)) => job_view(seed, log, ask_log_again, user.clone()),
            Ok(None) => gone(id).drawn(),
            Err(error) => failure("The job can't be shown", error.message(), ask_job_again).drawn(),
        },
    )
}

fn job_view(seed: Loaded<Job>, log: RwSignal<OpenedLog>, ask_log_again: Callback<()>, user: Option<User>) -> AnyView {
    let id = seed.body.summary.id;
    let ask = move |_: &Job, etag| client::find_job(id, etag);
    let live = poll::live(seed, ask, |job: &mut Job, fresh| *job = fresh, is_over);
    let is_gone = memo(move || live.trouble.with(|trouble| trouble.as_ref().is_some_and(is_not_found)));
    view_of(
        move || is_gone.get(),
        move |is_gone| {
            if is_gone { gone(id).drawn() } else { present(live, log, ask_log_again, id, user.clone()) }
        },
    )
}

/// Nothing about it will change any more.
fn is_over(job: &Job) -> bool {
    job.summary.status.is_terminal() && job.summary.logs.state != LogsState::Mirroring && !job.summary.delete_requested
}

fn is_not_found(error: &ClientError) -> bool {
    error.is(ErrorCode::NotFound)
}

/// It was there and has been deleted while it was being looked at.
fn gone(id: JobId) -> Html {
    el("section")
        .class("failure")
        .attr("role", "status")
        .child(el("h1").child(format!("Job #{id} is deleted")))
        .child(el("p").child("Its logs and results are gone with it."))
        .child(el("a").class("button is-primary").attr("href", paths::HOME).child("To the jobs"))
}

fn present(
    job: Live<Job>,
    log: RwSignal<OpenedLog>,
    ask_log_again: Callback<()>,
    id: JobId,
    user: Option<User>,
) -> AnyView {
    let status = memo(move || job.value.with(|job| job.summary.status));
    let counts = memo(move || job.value.with(|job| job.summary.counts));
    effect(move || document().set_title(&window_title(&title(id, status.get()))));
    let state = ViewState::of_url(id);
    let clock = expect_context::<Clock>();
    let tasks = memo(move || job.value.with(|job| job.tasks.clone()));
    let state_of_job = el("div").attr("role", "status").class("job-state");
    let head = el("div")
        .class("job-title")
        .child(el("h1").child(format!("Job #{id}")))
        .child(state_of_job.child(live(move || job_status_badge(status.get()))));
    let age = Signal::derive(move || job.synced_at.get().filter(|_| !status.get().is_terminal()));
    let progress = el("div")
        .class("job-progress")
        .child(live(move || job_progress(counts.get())))
        .child(el("p").class("job-counts").child(live(move || counted(counts.get()))));
    let panel = view_of(
        move || state.tab.get(),
        move |tab| {
            if tab == view_state::LOGS {
                tab_panel(tab, logs::logs(job, tasks, state, log, ask_log_again))
            } else {
                tab_panel(tab, task_table(tasks.into(), state.log_href))
            }
        },
    );
    vec![
        el("div").class("page-head job-head").child(head).child(job_actions(job, id, user)).drawn(),
        freshness(age, job.trouble.into(), job.answered_at.into()),
        progress.drawn(),
        live(move || job.value.with(|job| overview(&job.summary, clock))),
        tab_list("Views of the job", TABS, state.tab, state.tab_hrefs).drawn(),
        panel,
    ]
    .drawn()
}
