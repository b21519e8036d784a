//! The runs one by one, newest first, with where each can be looked into.

use super::{Asked, millis};
use crate::components::status_badge::TaskStatusBadge;
use crate::components::time_stamp::TimeStamp;
use crate::{paths, words};
use leptos::prelude::*;
use protocol::JobId;
use protocol::api::Run;

#[component]
pub(super) fn RunTable(runs: Vec<Run>, asked: Asked, first_failure: Option<JobId>) -> impl IntoView {
    let rows = runs.into_iter().map(|run| {
        let is_first_failure = first_failure == Some(run.job_id);
        let branch_href = asked.on_branch(&run.branch_name);
        view! { <RunRow run branch_href is_first_failure /> }
    });
    view! {
        <div class="table-scroll">
            <table class="table" aria-label="Runs">
                <thead>
                    <tr>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Job"</th>
                        <th scope="col" class="is-number">"Took"</th>
                        <th scope="col" class="is-stretched">"Branch"</th>
                        <th scope="col">"Commit"</th>
                        <th scope="col">"Ended"</th>
                        <th scope="col">"Log"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
}

#[component]
fn RunRow(run: Run, branch_href: String, is_first_failure: bool) -> impl IntoView {
    let Run { job_id, task_id, branch_name, commit, status, duration_ms, finished_at, .. } = run;
    let short = words::short_commit(&commit).to_owned();
    let remark = is_first_failure.then(|| view! { <span class="run-remark">" first failure"</span> });
    view! {
        <tr>
            <td><TaskStatusBadge status />{remark}</td>
            <td><a href=paths::job(job_id) aria-label=format!("Job #{job_id}")>{format!("#{job_id}")}</a></td>
            <td class="is-number">{duration_ms.map_or_else(|| "–".to_owned(), millis)}</td>
            <td class="is-stretched"><a class="branch" href=branch_href title=branch_name.clone()>{branch_name.clone()}</a></td>
            <td><code title=commit>{short}</code></td>
            <td><TimeStamp at=finished_at /></td>
            <td><a href=paths::task_log(job_id, &task_id) aria-label=format!("Log in job #{job_id}")>"Log"</a></td>
        </tr>
    }
}
