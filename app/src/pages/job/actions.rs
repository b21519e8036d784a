//! What can be done with a job: abort, rerun, delete. Each says at once that it was taken, and what came of it.

use crate::boxed::memo;
use crate::client::{self, ClientError};
use crate::components::confirm_dialog::confirm_dialog;
use crate::components::notice::{alert, status_note};
use crate::html::{Child, Html, el, live};
use crate::navigation::Navigation;
use crate::pending::Pending;
use crate::poll::Live;
use crate::session::may_change;
use crate::{browser, paths};
use leptos::prelude::*;
use protocol::JobId;
use protocol::api::{ErrorCode, Job, JobSummary, RerunRequest, User};

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

pub(super) fn job_actions(live: Live<Job>, id: JobId, user: Option<User>) -> AnyView {
    let navigation = Navigation::of_context();
    let note = RwSignal::new(None::<String>);
    let problem = RwSignal::new(None::<String>);
    // Kept while the same wish has had no answer, so that trying again makes no second job.
    let key = StoredValue::new(None::<(Deed, String)>);
    let pending = Pending::new();
    let act = Callback::new(move |deed: Deed| {
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
                Ok(Done::Changed(job)) => {
                    note.set(Some(accepted(deed, &job)));
                    live.replace(*job);
                }
                Ok(Done::Made(made)) => navigation.go(&paths::job(made)),
                Ok(Done::Gone) => navigation.go(paths::HOME),
                Err(error) if error.is(ErrorCode::Unauthenticated) => browser::leave_for_login(),
                Err(error) => {
                    problem.set(Some(error.message()));
                    live.refresh();
                }
            }
        });
    });
    let (buttons, dialogs) = buttons(live, id, user, act, pending);
    vec![buttons.drawn(), dialogs, status_note(note.into()).drawn(), alert(problem.into()).drawn()].drawn()
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

/// And the questions that some of them ask first.
fn buttons(
    live_job: Live<Job>,
    id: JobId,
    user: Option<User>,
    act: Callback<Deed>,
    pending: Pending,
) -> (Html, AnyView) {
    let asks_abort = RwSignal::new(false);
    let asks_delete = RwSignal::new(false);
    let can = memo(move || live_job.value.with(|job| Can::with(&job.summary, user.as_ref())));
    let button = |class: &'static str, label: &'static str, press: Callback<()>| {
        el("button").class(class).attr("type", "button").on("click", move |_| press.run(())).child(label)
    };
    let ask = |asks: RwSignal<bool>| Callback::new(move |()| asks.set(true));
    let rerun = |only_failed| Callback::new(move |()| act.run(Deed::Rerun { only_failed }));
    let (abort, delete, rerun_all, rerun_failed) = (ask(asks_abort), ask(asks_delete), rerun(false), rerun(true));
    let all = live(move || {
        let can = can.get();
        vec![
            can.abort.then(|| button("button is-danger", "Abort", abort)),
            Some(button("button", "Rerun", rerun_all)),
            can.rerun_failed.then(|| button("button", "Rerun failed", rerun_failed)),
            can.delete.then(|| button("button", "Delete", delete)),
        ]
    });
    let buttons =
        el("div").class("actions").attr_of("aria-busy", move || Some(pending.as_aria().to_owned())).child(all);
    let abort_dialog = confirm_dialog(
        asks_abort,
        format!("Abort job #{id}?"),
        "Running scenarios are stopped and waiting ones never start. What has come out so far stays.",
        "Abort job",
        Callback::new(move |()| act.run(Deed::Abort)),
    );
    let delete_dialog = confirm_dialog(
        asks_delete,
        format!("Delete job #{id}?"),
        "The job, its logs and its results are removed for everyone. A running job is stopped first.",
        "Delete job",
        Callback::new(move |()| act.run(Deed::Delete)),
    );
    (buttons, vec![abort_dialog, delete_dialog].drawn())
}
