//! What can be done with a job: abort, rerun, delete. Each says at once that it was taken, and what came of it.

use crate::client::{self, ClientError, Fetched, JobQuery};
use crate::components::confirm_dialog::ConfirmDialog;
use crate::components::icon::Icon;
use crate::components::menu::Menu;
use crate::components::notice::{Alert, StatusNote};
use crate::components::toasts::Toasts;
use crate::pending::{Pending, telling};
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

/// By which a rerun of all and one of what failed are known that have had no answer: tried again, each is the same and
/// makes no second job.
type RerunKeys = StoredValue<[Option<String>; 2]>;

/// What is asked before something is done, and on the button that does it.
struct Question {
    title: String,
    text: &'static str,
    confirm: &'static str,
}

impl Deed {
    /// The button's class, icon and words.
    const fn look(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Abort { is_forced: false } => ("button is-danger", "stop", "Abort"),
            Self::Abort { is_forced: true } => ("button is-danger", "stop", "Force abort"),
            Self::Delete { is_forced: false } => ("button is-quiet is-icon", "trash", "Delete"),
            Self::Delete { is_forced: true } => ("button is-danger", "trash", "Force delete"),
            Self::Rerun { only_failed: false } => ("button", "rerun", "Rerun"),
            Self::Rerun { only_failed: true } => ("button", "rerun", "Rerun failed"),
        }
    }

    /// None of what harms nothing.
    fn question(self, id: JobId) -> Option<Question> {
        let (title, text, confirm) = match self {
            Self::Abort { is_forced: false } => (
                format!("Abort job #{id}?"),
                "Running scenarios are stopped and waiting ones never start. What has come out so far stays.",
                "Abort job",
            ),
            Self::Abort { is_forced: true } => (
                format!("End job #{id} here?"),
                "It ends here as an error, without the remote test server's word. Its abort is tried there in the background.",
                "Force abort",
            ),
            Self::Delete { is_forced: false } => (
                format!("Delete job #{id}?"),
                "The job, its logs and its results are removed for everyone. A running job is stopped first.",
                "Delete job",
            ),
            Self::Delete { is_forced: true } => (
                format!("Delete job #{id} here?"),
                "It goes here at once, without the remote test server's word. Its deletion is tried there in the background.",
                "Force delete",
            ),
            Self::Rerun { .. } => return None,
        };
        Some(Question { title, text, confirm })
    }

    fn under_way(self) -> String {
        match self {
            Self::Abort { .. } => "Asking for the abort…",
            Self::Delete { .. } => "Deleting…",
            Self::Rerun { .. } => "Submitting the rerun…",
        }
        .to_owned()
    }

    async fn run(self, id: JobId, keys: RerunKeys) -> Result<Done, ClientError> {
        match self {
            Self::Abort { is_forced } => client::abort_job(id, is_forced).await.map(Box::new).map(Done::Changed),
            Self::Delete { is_forced } => {
                Ok(client::delete_job(id, is_forced).await?.map(Box::new).map_or(Done::Gone, Done::Changed))
            }
            Self::Rerun { only_failed } => {
                let which = usize::from(only_failed);
                let key = keys.get_value()[which].clone().unwrap_or_else(client::new_idempotency_key);
                keys.update_value(|keys| keys[which] = Some(key.clone()));
                let request = RerunRequest { only_failed, latest: false };
                let answer = client::rerun_job(id, &request, key).await;
                if !matches!(answer, Err(ClientError::Unreachable)) {
                    // The view may have been left meanwhile.
                    let _ = keys.try_update_value(|keys| keys[which] = None);
                }
                Ok(Done::Made(answer?.summary.id))
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
    let keys = RerunKeys::new([None, None]);
    // Each by itself, so that none is swallowed because another one takes long.
    let under_way = UnderWay { abort: Pending::new(), delete: Pending::new(), rerun: Pending::new() };
    let act = Callback::new(move |deed: Deed| {
        let navigate = navigate.clone();
        under_way.of(deed).run(async move {
            problem.set(None);
            let done = telling(note, deed.under_way(), deed.run(id, keys)).await;
            let is_left = note.is_disposed();
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
    let has_ended = Memo::new(move |_| job.value.with(|job| job.summary.status.is_terminal()));
    let told = Signal::derive(move || note.get().filter(|told| told != ABORT_REQUESTED || !has_ended.get()));
    view! {
        <Buttons job id user act under_way />
        <StatusNote message=told />
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

/// True until the job ends.
const ABORT_REQUESTED: &str = "Abort requested. It ends as soon as the remote test server agrees.";

fn accepted(deed: Deed, job: &Job) -> String {
    match deed {
        Deed::Abort { is_forced: true } => "Ended here. The remote test server is still asked to abort it.",
        Deed::Abort { .. } if job.summary.abort_requested => ABORT_REQUESTED,
        Deed::Abort { .. } => "Aborted.",
        Deed::Delete { .. } => "Deletion requested. The job goes as soon as the remote test server agrees.",
        Deed::Rerun { .. } => "Rerun submitted.",
    }
    .to_owned()
}

/// What this user can do now.
fn possible(job: &JobSummary, user: Option<&User>) -> Vec<Deed> {
    let (may, has_ended, counts) = (may_change(user, &job.user), job.status.is_terminal(), job.counts);
    let is_admin = user.is_some_and(|user| user.is_admin);
    let deeds = [
        (may && !has_ended && !job.abort_requested, Deed::Abort { is_forced: false }),
        (may && !job.delete_requested, Deed::Delete { is_forced: false }),
        (true, Deed::Rerun { only_failed: false }),
        (has_ended && counts.failed + counts.error + counts.aborted > 0, Deed::Rerun { only_failed: true }),
        // Not to wait for the remote server's word any longer.
        (is_admin && !has_ended && job.abort_requested && !job.delete_requested, Deed::Abort { is_forced: true }),
        (is_admin && job.delete_requested, Deed::Delete { is_forced: true }),
    ];
    deeds.into_iter().filter_map(|(is_possible, deed)| is_possible.then_some(deed)).collect()
}

/// Before the menu, in this order.
const BEFORE_MENU: [Deed; 5] = [
    Deed::Abort { is_forced: false },
    Deed::Abort { is_forced: true },
    Deed::Delete { is_forced: true },
    Deed::Rerun { only_failed: false },
    Deed::Rerun { only_failed: true },
];

#[component]
fn Buttons(job: Live<Job>, id: JobId, user: Option<User>, act: Callback<Deed>, under_way: UnderWay) -> impl IntoView {
    let asked = RwSignal::new(None::<Deed>);
    let possible = Memo::new(move |_| job.value.with(|job| possible(&job.summary, user.as_ref())));
    // A button that goes takes the focus with it.
    Effect::new(move |could: Option<Vec<Deed>>| {
        let can = possible.get();
        if could.is_some_and(|could| could.iter().any(|deed| !can.contains(deed))) {
            request_animation_frame(|| browser::focus_if_lost("main"));
        }
        can
    });
    let press = Callback::new(move |deed: Deed| match deed.question(id) {
        Some(_) => asked.set(Some(deed)),
        None => act.run(deed),
    });
    let button = move |deed| view! { <DeedButton deed possible pending=under_way.of(deed) press /> };
    let dialog = move || {
        let deed = asked.get()?;
        let Question { title, text, confirm } = deed.question(id)?;
        let on_confirm = Callback::new(move |()| act.run(deed));
        Some(view! { <ConfirmDialog is_open=RwSignal::new(true) title text confirm on_confirm /> })
    };
    let before = job_before(job);
    let compare = move || {
        let other = job.value.with(other_to_compare).or_else(|| before.get());
        match other {
            Some(other) => paths::compare(other, id),
            None => paths::compare_with(id),
        }
    };
    let edit = paths::with_query(paths::NEW_JOB, &[("from", &id.to_string())]);
    view! {
        <div class="actions">
            {BEFORE_MENU.map(button).into_iter().collect_view()}
            <Menu label="More actions">
                <a class="menu-item" href=edit><Icon name="edit" />"Edit and rerun"</a>
                <a class="menu-item" href=compare><Icon name="compare" />"Compare with…"</a>
                <a class="menu-item" href=client::junit_url(id) rel="external" download="">
                    <Icon name="report" />
                    "JUnit report"
                </a>
            </Menu>
            {button(Deed::Delete { is_forced: false })}
        </div>
        {dialog}
    }
}

/// There while it is possible; by itself, so that it loses no focus because another one comes or goes.
#[component]
fn DeedButton(deed: Deed, possible: Memo<Vec<Deed>>, pending: Pending, press: Callback<Deed>) -> impl IntoView {
    let (class, icon, words) = deed.look();
    let is_icon = deed == Deed::Delete { is_forced: false };
    let label = is_icon.then_some(words);
    let is_possible = Memo::new(move |_| possible.with(|possible| possible.contains(&deed)));
    move || {
        is_possible.get().then(|| {
            view! {
                <button class=class type="button" aria-label=label title=label
                    aria-disabled=move || pending.as_aria() on:click=move |_| press.run(deed)>
                    <Icon name=icon />
                    {(!is_icon).then_some(words)}
                </button>
            }
        })
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
