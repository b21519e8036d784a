//! What can be done with a job: abort, rerun, delete. Each says at once that it was taken, and what came of it.

use crate::client::{self, ClientError};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::notice::{Alert, StatusNote};
use crate::poll::Live;
use crate::session::may_change;
use crate::{browser, paths};
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use protocol::JobId;
use protocol::api::{ErrorCode, Job, RerunRequest, User};

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
pub(super) fn JobActions(live: Live<Job>, id: JobId, user: Option<User>) -> impl IntoView {
    let navigate = use_navigate();
    let note = RwSignal::new(None::<String>);
    let problem = RwSignal::new(None::<String>);
    // Kept while the same wish has had no answer, so that trying again makes no second job.
    let key = StoredValue::new(None::<(Deed, String)>);
    let act = Action::new(move |deed: &Deed| {
        let (deed, navigate) = (*deed, navigate.clone());
        note.set(Some(deed.under_way().to_owned()));
        problem.set(None);
        async move {
            let known = key.get_value().filter(|(of, _)| *of == deed).map(|(_, key)| key);
            let this_key = known.unwrap_or_else(browser::new_idempotency_key);
            key.set_value(Some((deed, this_key.clone())));
            let done = deed.run(id, this_key).await;
            if !matches!(done, Err(ClientError::Unreachable)) {
                key.set_value(None);
            }
            note.set(None);
            match done {
                Ok(Done::Changed(job)) => {
                    note.set(Some(accepted(deed, &job)));
                    live.replace(*job);
                }
                Ok(Done::Made(made)) => navigate(&paths::job(made), leptos_router::NavigateOptions::default()),
                Ok(Done::Gone) => navigate(paths::HOME, leptos_router::NavigateOptions::default()),
                Err(error) if error.is(ErrorCode::Unauthenticated) => browser::leave_for_login(),
                Err(error) => {
                    problem.set(Some(error.message()));
                    live.refresh();
                }
            }
        }
    });
    view! {
        <Buttons live id user act />
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

#[component]
fn Buttons(live: Live<Job>, id: JobId, user: Option<User>, act: Action<Deed, ()>) -> impl IntoView {
    let asks_abort = RwSignal::new(false);
    let asks_delete = RwSignal::new(false);
    let is_busy = act.pending();
    let may = Memo::new(move |_| live.value.with(|job| may_change(user.as_ref(), &job.summary.user)));
    let summary = move |test: fn(&Job) -> bool| Memo::new(move |_| live.value.with(test));
    let can_abort = summary(|job| !job.summary.status.is_terminal() && !job.summary.abort_requested);
    let can_delete = summary(|job| !job.summary.delete_requested);
    let has_failed = summary(|job| {
        let counts = job.summary.counts;
        job.summary.status.is_terminal() && counts.failed + counts.error + counts.aborted > 0
    });
    let rerun = move |only_failed| {
        move |_| {
            if !is_busy.get_untracked() {
                act.dispatch(Deed::Rerun { only_failed });
            }
        }
    };
    view! {
        <div class="actions" aria-busy=move || is_busy.get().to_string()>
            <Show when=move || may.get() && can_abort.get()>
                <button class="button is-danger" type="button" on:click=move |_| asks_abort.set(true)>"Abort"</button>
            </Show>
            <button class="button" type="button" on:click=rerun(false)>"Rerun"</button>
            <Show when=move || has_failed.get()>
                <button class="button" type="button" on:click=rerun(true)>"Rerun failed"</button>
            </Show>
            <Show when=move || may.get() && can_delete.get()>
                <button class="button" type="button" on:click=move |_| asks_delete.set(true)>"Delete"</button>
            </Show>
        </div>
        <ConfirmDialog is_open=asks_abort title=format!("Abort job #{id}?") confirm="Abort job"
            on_confirm=Callback::new(move |()| { act.dispatch(Deed::Abort); })>
            <p>"Running scenarios are stopped and waiting ones never start. What has come out so far stays."</p>
        </ConfirmDialog>
        <ConfirmDialog is_open=asks_delete title=format!("Delete job #{id}?") confirm="Delete job"
            on_confirm=Callback::new(move |()| { act.dispatch(Deed::Delete); })>
            <p>"The job, its logs and its results are removed for everyone. A running job is stopped first."</p>
        </ConfirmDialog>
    }
}
