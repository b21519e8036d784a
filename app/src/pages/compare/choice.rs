//! Which two jobs to compare: any by their numbers, or one of the last of the same branch and environment.

use crate::client::{self, Fetched, JobQuery};
use crate::components::notice::Alert;
use crate::components::status_badge::JobStatusBadge;
use crate::components::time_stamp::Ago;
use crate::reload::later;
use crate::session::Session;
use crate::{paths, words};
use leptos::prelude::*;
use leptos_meta::Title;
use protocol::JobId;
use protocol::api::{DEFAULT_PAGE, JobSummary};

/// As many as one looks through.
const OFFERED: usize = 10;

/// A plain form, so that it works before the page is live.
#[component]
pub(super) fn Choose(a: String, b: String, why: Option<String>, job: Option<JobSummary>) -> impl IntoView {
    let offered = job.map(|job| view! { <Offered job than=None /> });
    view! {
        <Title text="Compare jobs" />
        <div class="page-head">
            <h1>"Compare jobs"</h1>
        </div>
        <Alert message=Signal::stored(why) />
        <form class="form-row" method="get" action=paths::COMPARE>
            <NumberField id="a" label="Job before" value=a />
            <NumberField id="b" label="Job after" value=b />
            <button class="button is-primary" type="submit">"Compare"</button>
        </form>
        {offered}
    }
}

/// In place of the earlier one of two: another by its number, or one of the last.
#[component]
pub(super) fn Others(
    job: JobSummary,
    /// The one that it is compared with now.
    than: Option<JobId>,
) -> impl IntoView {
    view! {
        <form class="form-row" method="get" action=paths::COMPARE>
            <NumberField id="a" label="Job before" value=String::new() />
            <input type="hidden" name="b" value=job.id.to_string() />
            <button class="button" type="submit">"Compare"</button>
        </form>
        <Offered job than />
    }
}

#[component]
fn NumberField(id: &'static str, label: &'static str, value: String) -> impl IntoView {
    view! {
        <div class="field">
            <label for=format!("compare-{id}")>{label}</label>
            <input id=format!("compare-{id}") name=id type="text" inputmode="numeric" pattern="#?[0-9]+" required
                title="The number of a job" autocomplete="off" value=value />
        </div>
    }
}

/// Asked for by the browser alone, since it is a question by the way. Without a search a plain user is told of their own
/// jobs only, so that of another's the owner is searched for.
#[component]
fn Offered(job: JobSummary, than: Option<JobId>) -> impl IntoView {
    let is_admin = expect_context::<Session>().user.is_some_and(|user| user.is_admin);
    let JobSummary { id, branch_name: branch, environment, user, .. } = job;
    let title = format!("Last jobs of {branch} on {environment}");
    let search = if is_admin { String::new() } else { user.username };
    let query = JobQuery { environment, branch, search, ..JobQuery::default() };
    let jobs = later(move || {
        let query = query.clone();
        Some(async move {
            let listed = client::list_jobs(&query, DEFAULT_PAGE as usize, None).await.and_then(Fetched::loaded);
            let jobs = listed.map(|listed| listed.body.jobs).unwrap_or_default();
            jobs.into_iter().filter(|job| job.id != id).take(OFFERED).collect::<Vec<_>>()
        })
    });
    let row = move |job: JobSummary| {
        let JobSummary { id: other, status, commit, user, created_at, .. } = job;
        let short = words::short_commit(&commit).to_owned();
        // As they followed each other.
        let href = paths::compare(other.min(id), other.max(id));
        view! {
            <tr>
                <td><a href=href aria-current=(than == Some(other)).then_some("true")>{format!("Job #{other}")}</a></td>
                <td><JobStatusBadge status /></td>
                <td><code title=commit>{short}</code></td>
                <td class="is-stretched">{user.username}</td>
                <td><Ago at=created_at /></td>
            </tr>
        }
    };
    move || {
        let jobs = jobs.get();
        (!jobs.is_empty()).then(|| {
            view! {
                <table class="table offered" aria-label=title.clone()>
                    <caption>{title.clone()}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Job"</th>
                            <th scope="col">"Status"</th>
                            <th scope="col">"Commit"</th>
                            <th scope="col">"By"</th>
                            <th scope="col">"Submitted"</th>
                        </tr>
                    </thead>
                    <tbody>{jobs.into_iter().map(row).collect_view()}</tbody>
                </table>
            }
        })
    }
}
