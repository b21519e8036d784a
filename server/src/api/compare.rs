//! Two jobs side by side, scenario by scenario.

use super::jobs::shown_job;
use crate::auth::CurrentUser;
use crate::error::{ApiResult, Query, id};
use crate::state::AppState;
use axum::extract::State;
use protocol::api::{Change, ComparedScenario, Comparison, Job};
use protocol::{JobId, TaskStatus};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareQuery {
    #[serde(deserialize_with = "id")]
    a: JobId,
    #[serde(deserialize_with = "id")]
    b: JobId,
}

pub(super) async fn compare_jobs(
    State(state): State<AppState>,
    _: CurrentUser,
    Query(query): Query<CompareQuery>,
) -> ApiResult<axum::Json<Comparison>> {
    let (_, a) = shown_job(&state, query.a).await?;
    let (_, b) = shown_job(&state, query.b).await?;
    let scenarios = compare(&a, &b);
    Ok(axum::Json(Comparison { a: a.summary, b: b.summary, scenarios }))
}

fn compare(a: &Job, b: &Job) -> Vec<ComparedScenario> {
    let mut outcomes = BTreeMap::<&str, (Option<TaskStatus>, Option<TaskStatus>)>::new();
    for task in &a.tasks {
        outcomes.entry(&task.scenario).or_default().0 = Some(task.status);
    }
    for task in &b.tasks {
        outcomes.entry(&task.scenario).or_default().1 = Some(task.status);
    }
    let compared =
        |(scenario, (a, b)): (&str, _)| ComparedScenario { scenario: scenario.to_owned(), a, b, change: change(a, b) };
    outcomes.into_iter().map(compared).collect()
}

fn change(a: Option<TaskStatus>, b: Option<TaskStatus>) -> Change {
    let fails = |status| matches!(status, TaskStatus::Failed | TaskStatus::Error);
    match (a, b) {
        (_, None) => Change::OnlyA,
        (None, _) => Change::OnlyB,
        (Some(a), Some(b)) => match (fails(a), fails(b)) {
            (false, true) => Change::NewlyFailed,
            (true, false) => Change::Fixed,
            (true, true) => Change::StillFailing,
            (false, false) => Change::Same,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_and_error_count_as_failing_and_all_else_does_not() {
        use TaskStatus::{Aborted, Error, Failed, Passed, Running, Skipped};
        for (a, b, expected) in [
            (Some(Passed), Some(Failed), Change::NewlyFailed),
            (Some(Skipped), Some(Error), Change::NewlyFailed),
            (Some(Failed), Some(Passed), Change::Fixed),
            (Some(Error), Some(Running), Change::Fixed),
            (Some(Failed), Some(Error), Change::StillFailing),
            (Some(Passed), Some(Aborted), Change::Same),
            (Some(Passed), None, Change::OnlyA),
            (None, Some(Failed), Change::OnlyB),
        ] {
            assert_eq!(change(a, b), expected, "{a:?} {b:?}");
        }
    }
}
