//! What can be done with a job: abort, rerun, delete. Each says at once that it was taken, and what came of it.

use crate::client::{self, ClientError};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::notice::{Alert, StatusNote};
use crate::components::toasts::Toasts;
use crate::pending::Pending;
use crate::poll::Live;
use crate::session::may_change;
use crate::{browser, paths};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::JobId;
use protocol::api::{Job, JobSummary, RerunRequest, User};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Abort,
    Delete,
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
            Self::Abort => "Asking for the abort…",
            Self::Delete => "Deleting…",
            Self::Rerun { .. } => "Submitting the rerun…",
        }
    }

    async fn run(self, id: JobId, idempotency_key: String) -> Result<Done, ClientError> {
        match self {
            Self::Abort => client::abort_job(id).await.map(Box::new).map(Done::Changed),
            Self::Delete => Ok(client::delete_job(id).await?.map(Box::new).map_or(Done::Gone, Done::Changed)),
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
    let pending = Pending::new();
    let act = Callback::new(move |deed: Deed| {
        let navigate = navigate.clone();
        let known = key.get_value().filter(|(of, _)| *of == deed).map(|(_, key)| key);
        let this_key = known.unwrap_or_else(browser::new_idempotency_key);
        key.set_value(Some((deed, this_key.clone())));
        note.set(Some(deed.under_way().to_owned()));
        problem.set(None);
        pending.run(async move {
            let done = deed.run(id, this_key).await;
            if !matches!(done, Err(ClientError::Unreachable)) {
                key.set_value(None);
            }
            note.set(None);
            match done {
                Ok(Done::Changed(changed)) => {
                    note.set(Some(accepted(deed, &changed)));
                    job.replace(*changed);
                }
                Ok(Done::Made(made)) => {
                    toasts.done(format!("Job #{made} submitted."));
                    navigate(&paths::job(made), NavigateOptions::default());
                }
                Ok(Done::Gone) => {
                    toasts.done(format!("Job #{id} deleted."));
                    navigate(paths::HOME, NavigateOptions::default());
                }
                Err(error) => {
                    problem.set(Some(error.message()));
                    job.refresh();
                }
            }
        });
    });
    view! {
        <Buttons job id user act pending />
        <StatusNote message=note />
        <Alert message=problem />
    }
}

fn accepted(deed: Deed, job: &Job) -> String {
    match deed {
        Deed::Abort if job.summary.abort_requested => {
            "Abort requested. It ends as soon as the remote test server agrees."
        }
        Deed::Abort => "Aborted.",
        Deed::Delete => "Deletion requested. The job goes as soon as the remote test server agrees.",
        Deed::Rerun { .. } => "Rerun submitted.",
    }
    .to_owned()
}

/// Which buttons there are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Can {
    abort: bool,
    rerun_failed: bool,
    delete: bool,
}

impl Can {
    fn with(job: &JobSummary, user: Option<&User>) -> Self {
        let (may, has_ended, counts) = (may_change(user, &job.user), job.status.is_terminal(), job.counts);
        Self {
            abort: may && !has_ended && !job.abort_requested,
            rerun_failed: has_ended && counts.failed + counts.error + counts.aborted > 0,
            delete: may && !job.delete_requested,
        }
    }
}

#[component]
fn Buttons(job: Live<Job>, id: JobId, user: Option<User>, act: Callback<Deed>, pending: Pending) -> impl IntoView {
    let asks_abort = RwSignal::new(false);
    let asks_delete = RwSignal::new(false);
    let can = Memo::new(move |_| job.value.with(|job| Can::with(&job.summary, user.as_ref())));
    let button = |class: &'static str, label: &'static str, press: Callback<()>| {
        view! { <button class=class type="button" on:click=move |_| press.run(())>{label}</button> }
    };
    let ask = |asks: RwSignal<bool>| Callback::new(move |()| asks.set(true));
    let rerun = |only_failed| Callback::new(move |()| act.run(Deed::Rerun { only_failed }));
    let (abort, delete, rerun_all, rerun_failed) = (ask(asks_abort), ask(asks_delete), rerun(false), rerun(true));
    let buttons = move || {
        let can = can.get();
        (
            can.abort.then(|| button("button is-danger", "Abort", abort)),
            button("button", "Rerun", rerun_all),
            can.rerun_failed.then(|| button("button", "Rerun failed", rerun_failed)),
            can.delete.then(|| button("button", "Delete", delete)),
        )
    };
    view! {
        <div class="actions" aria-busy=move || pending.as_aria()>
            {buttons}
        </div>
        <ConfirmDialog is_open=asks_abort title=format!("Abort job #{id}?") confirm="Abort job"
            text="Running scenarios are stopped and waiting ones never start. What has come out so far stays."
            on_confirm=Callback::new(move |()| act.run(Deed::Abort)) />
        <ConfirmDialog is_open=asks_delete title=format!("Delete job #{id}?") confirm="Delete job"
            text="The job, its logs and its results are removed for everyone. A running job is stopped first."
            on_confirm=Callback::new(move |()| act.run(Deed::Delete)) />
    }
}
