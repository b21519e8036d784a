//! What can be done with a job: abort, rerun, delete. Each says at once that it was taken, and what came of it.

use crate::client::{self, ClientError, Fetched, JobQuery};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::icon::Icon;
use crate::components::menu::Menu;
use crate::components::notice::{Alert, StatusNote};
use crate::components::toasts::Toasts;
use crate::pending::Pending;
use crate::poll::Live;
use crate::reload::later;
use crate::session::may_change;
use crate::{browser, paths};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::JobId;
use protocol::api::{DEFAULT_PAGE, Job, JobSummary, RerunRequest, User};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Abort { is_forced: bool },
    Delete { is_forced: bool },
    Rerun { only_failed: bool },
}

/// What came of it: the job as it is now, another job to look at, or none any more.
enum Done {
    Changed(Box<Job>),
    Made(JobId),
    Gone,
}

impl Deed {
    const fn under_way(self) -> &'static str {
        match self {
            Self::Abort { .. } => "Asking for the abort…",
            Self::Delete { .. } => "Deleting…",
            Self::Rerun { .. } => "Submitting the rerun…",
        }
    }

    async fn run(self, id: JobId, idempotency_key: String) -> Result<Done, ClientError> {
        match self {
            Self::Abort { is_forced } => client::abort_job(id, is_forced).await.map(Box::new).map(Done::Changed),
            Self::Delete { is_forced } => {
                Ok(client::delete_job(id, is_forced).await?.map(Box::new).map_or(Done::Gone, Done::Changed))
            }
            Self::Rerun { only_failed } => {
                let request = RerunRequest { only_failed, latest: false };
                let job = client::rerun_job(id, &request, idempotency_key).await?;
                Ok(Done::Made(job.summary.id))
            }
        }
    }
}

#[component]
pub(super) fn JobActions(job: Live<Job>, id: JobId, user: Option<User>) -> impl IntoView {
    let navigate = use_navigate();
    let toasts = Toasts::of_context();
    let note = RwSignal::new(None::<String>);
    let problem = RwSignal::new(None::<String>);
    // Kept while the same wish has had no answer, so that trying again makes no second job.
    let key = StoredValue::new(None::<(Deed, String)>);
    // Each by itself, so that none is swallowed because another one takes long.
    let under_way = UnderWay { abort: Pending::new(), delete: Pending::new(), rerun: Pending::new() };
    let act = Callback::new(move |deed: Deed| {
        let pending = under_way.of(deed);
        if pending.get_untracked() {
            return;
        }
        let navigate = navigate.clone();
        let known = key.get_value().filter(|(of, _)| *of == deed).map(|(_, key)| key);
        let this_key = known.unwrap_or_else(client::new_idempotency_key);
        key.set_value(Some((deed, this_key.clone())));
        note.set(Some(deed.under_way().to_owned()));
        problem.set(None);
        pending.run(async move {
            let done = deed.run(id, this_key).await;
            let is_left = note.is_disposed();
            if !is_left {
                note.set(None);
            }
            if !matches!(done, Err(ClientError::Unreachable)) {
                let _ = key.try_set_value(None);
            }
            // Whoever has gone on to another view is told there, not taken away from it.
            match done {
                Ok(Done::Changed(changed)) => {
                    if is_left {
                        return toasts.done(accepted(deed, &changed));
                    }
                    note.set(Some(accepted(deed, &changed)));
                    job.replace(*changed);
                }
                Ok(Done::Made(made)) => {
                    toasts.done(format!("Job #{made} submitted."));
                    if !is_left {
                        navigate(&paths::job(made), NavigateOptions::default());
                    }
                }
                Ok(Done::Gone) => {
                    toasts.done(format!("Job #{id} deleted."));
                    if !is_left {
                        navigate(paths::HOME, NavigateOptions::default());
                    }
                }
                Err(error) if is_left => toasts.failed(error.message()),
                Err(error) => {
                    problem.set(Some(error.message()));
                    job.refresh();
                }
            }
        });
    });
    view! {
        <Buttons job id user act under_way />
        <StatusNote message=note />
        <Alert message=problem />
    }
}

/// What was asked for and has had no answer yet.
#[derive(Clone, Copy)]
struct UnderWay {
    abort: Pending,
    delete: Pending,
    rerun: Pending,
}

impl UnderWay {
    const fn of(self, deed: Deed) -> Pending {
        match deed {
            Deed::Abort { .. } => self.abort,
            Deed::Delete { .. } => self.delete,
            Deed::Rerun { .. } => self.rerun,
        }
    }
}

fn accepted(deed: Deed, job: &Job) -> String {
    match deed {
        Deed::Abort { is_forced: true } => "Ended here. The remote test server is still asked to abort it.",
        Deed::Abort { .. } if job.summary.abort_requested => {
            "Abort requested. It ends as soon as the remote test server agrees."
        }
        Deed::Abort { .. } => "Aborted.",
        Deed::Delete { .. } => "Deletion requested. The job goes as soon as the remote test server agrees.",
        Deed::Rerun { .. } => "Rerun submitted.",
    }
    .to_owned()
}

/// What this user can do now; to run the job once more, always.
fn possible(job: &JobSummary, user: Option<&User>) -> Vec<Deed> {
    let (may, has_ended, counts) = (may_change(user, &job.user), job.status.is_terminal(), job.counts);
    let is_admin = user.is_some_and(|user| user.is_admin);
    let deeds = [
        (may && !has_ended && !job.abort_requested, Deed::Abort { is_forced: false }),
        (may && !job.delete_requested, Deed::Delete { is_forced: false }),
        (has_ended && counts.failed + counts.error + counts.aborted > 0, Deed::Rerun { only_failed: true }),
        // Not to wait for the remote server's word any longer.
        (is_admin && !has_ended && job.abort_requested && !job.delete_requested, Deed::Abort { is_forced: true }),
        (is_admin && job.delete_requested, Deed::Delete { is_forced: true }),
    ];
    deeds.into_iter().filter_map(|(is_possible, deed)| is_possible.then_some(deed)).collect()
}

#[component]
fn Buttons(job: Live<Job>, id: JobId, user: Option<User>, act: Callback<Deed>, under_way: UnderWay) -> impl IntoView {
    let asks_abort = RwSignal::new(false);
    let asks_delete = RwSignal::new(false);
    let asks_force_abort = RwSignal::new(false);
    let asks_force_delete = RwSignal::new(false);
    let possible = Memo::new(move |_| job.value.with(|job| possible(&job.summary, user.as_ref())));
    let button = |look: &'static str, icon, label: &'static str, pending: Pending, press: Callback<()>| {
        view! {
            <button class=look type="button" aria-disabled=move || pending.as_aria() on:click=move |_| press.run(())>
                <Icon name=icon />
                {label}
            </button>
        }
    };
    let ask = |asks: RwSignal<bool>| Callback::new(move |()| asks.set(true));
    let rerun = |only_failed| Callback::new(move |()| act.run(Deed::Rerun { only_failed }));
    let (abort, delete, rerun_all, rerun_failed) = (ask(asks_abort), ask(asks_delete), rerun(false), rerun(true));
    // Each by itself, so that none loses the focus because another one comes or goes.
    let can = |deed: Deed| Memo::new(move |_| possible.with(|possible| possible.contains(&deed)));
    let can_rerun_failed = can(Deed::Rerun { only_failed: true });
    let (can_abort, can_force_abort) = (can(Deed::Abort { is_forced: false }), can(Deed::Abort { is_forced: true }));
    let (can_delete, can_force_delete) =
        (can(Deed::Delete { is_forced: false }), can(Deed::Delete { is_forced: true }));
    // A button that goes takes the focus with it.
    Effect::new(move |could: Option<[bool; 3]>| {
        let can = [can_abort, can_force_abort, can_force_delete].map(|can| can.get());
        if could.is_some_and(|could| could.iter().zip(can).any(|(could, can)| *could && !can)) {
            request_animation_frame(|| browser::focus_if_lost("main"));
        }
        can
    });
    let abort_button =
        move || can_abort.get().then(|| button("button is-danger", "stop", "Abort", under_way.abort, abort));
    let rerun_failed_button = move || {
        can_rerun_failed.get().then(|| button("button", "rerun", "Rerun failed", under_way.rerun, rerun_failed))
    };
    let delete_button = move || {
        can_delete.get().then(|| {
            view! {
                <button class="button is-quiet is-icon" type="button" aria-label="Delete" title="Delete"
                    aria-disabled=move || under_way.delete.as_aria() on:click=move |_| delete.run(())>
                    <Icon name="trash" />
                </button>
            }
        })
    };
    let before = job_before(job);
    let compare = move || {
        let other = job.value.with(other_to_compare).or_else(|| before.get());
        match other {
            Some(other) => paths::compare(other, id),
            None => paths::with_query(paths::COMPARE, &[("b", &id.to_string())]),
        }
    };
    let (force_abort, force_delete) = (ask(asks_force_abort), ask(asks_force_delete));
    let force_abort_button = move || {
        can_force_abort.get().then(|| button("button is-danger", "stop", "Force abort", under_way.abort, force_abort))
    };
    let force_delete_button = move || {
        can_force_delete
            .get()
            .then(|| button("button is-danger", "trash", "Force delete", under_way.delete, force_delete))
    };
    let edit = paths::with_query(paths::NEW_JOB, &[("from", &id.to_string())]);
    view! {
        <div class="actions">
            {abort_button}
            {force_abort_button}
            {force_delete_button}
            {button("button", "rerun", "Rerun", under_way.rerun, rerun_all)}
            {rerun_failed_button}
            <Menu label="More actions">
                <a class="menu-item" href=edit><Icon name="edit" />"Edit and rerun"</a>
                <a class="menu-item" href=compare><Icon name="compare" />"Compare with…"</a>
                <a class="menu-item" href=client::junit_url(id) rel="external" download="">
                    <Icon name="report" />
                    "JUnit report"
                </a>
            </Menu>
            {delete_button}
        </div>
        <ConfirmDialog is_open=asks_abort title=format!("Abort job #{id}?") confirm="Abort job"
            text="Running scenarios are stopped and waiting ones never start. What has come out so far stays."
            on_confirm=Callback::new(move |()| act.run(Deed::Abort { is_forced: false })) />
        <ConfirmDialog is_open=asks_delete title=format!("Delete job #{id}?") confirm="Delete job"
            text="The job, its logs and its results are removed for everyone. A running job is stopped first."
            on_confirm=Callback::new(move |()| act.run(Deed::Delete { is_forced: false })) />
        <ConfirmDialog is_open=asks_force_abort title=format!("End job #{id} here?") confirm="Force abort"
            text="It ends here as an error, without the remote test server's word. Its abort is tried there in the background."
            on_confirm=Callback::new(move |()| act.run(Deed::Abort { is_forced: true })) />
        <ConfirmDialog is_open=asks_force_delete title=format!("Delete job #{id} here?") confirm="Force delete"
            text="It goes here at once, without the remote test server's word. Its deletion is tried there in the background."
            on_confirm=Callback::new(move |()| act.run(Deed::Delete { is_forced: true })) />
    }
}

/// The last job of the same branch and environment that ended before this one: where nothing else is to be compared
/// with, and in the browser alone, since it is a question by the way.
fn job_before(job: Live<Job>) -> Signal<Option<JobId>> {
    let is_wanted =
        Memo::new(move |_| job.value.with(|job| job.summary.status.is_terminal() && other_to_compare(job).is_none()));
    later(move || {
        let (id, branch, environment) = job
            .value
            .with_untracked(|job| (job.summary.id, job.summary.branch_name.clone(), job.summary.environment.clone()));
        is_wanted.get().then_some(async move {
            let query = JobQuery { environment, branch, ..JobQuery::default() };
            let listed = client::list_jobs(&query, DEFAULT_PAGE as usize, None).await.and_then(Fetched::loaded).ok()?;
            let is_before = |other: &&JobSummary| other.id < id && other.status.is_terminal();
            listed.body.jobs.iter().find(is_before).map(|other| other.id)
        })
    })
}

/// The one it was made from, else the last in which something passed that did not here.
fn other_to_compare(job: &Job) -> Option<JobId> {
    let passed = job.tasks.iter().filter_map(|task| task.last_passed.as_ref()).map(|before| before.job_id).max();
    passed.or(job.summary.rerun_of)
}
