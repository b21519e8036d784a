//! Two jobs side by side, scenario by scenario.

use super::conditional::Conditional;
use super::jobs::{no_such_job, shown_job, version_of};
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Query, id};
use crate::state::AppState;
use crate::store::listing::{Head, find_head};
use crate::version::{Known, Version};
use axum::extract::State;
use axum::http::HeaderMap;
use protocol::api::{Change, ComparedScenario, Comparison, Job};
use protocol::{JobId, JobStatus, TaskStatus, order};
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
    headers: HeaderMap,
) -> ApiResult<Conditional<Comparison>> {
    let heads =
        state.store.read(move |connection| Ok([find_head(connection, query.a)?, find_head(connection, query.b)?]));
    let [a, b] = heads.await?;
    let (a, b) = (a.ok_or_else(|| no_such_job(query.a))?, b.ok_or_else(|| no_such_job(query.b))?);
    // The poller learns that somebody is looking.
    for open in [&a, &b].into_iter().filter(|head| !head.status.is_terminal()) {
        state.look_at(open.id, &open.environment);
    }
    let of = |head: &Head| (version_of(head, &state), head.status);
    let version = version([of(&a), of(&b)], &state.instance);
    if Known::of(&headers).has(&version) {
        return Ok(version.unchanged());
    }
    let (version_a, a) = shown_job(&state, query.a).await?;
    let (version_b, b) = shown_job(&state, query.b).await?;
    let version = self::version([(version_a, a.summary.status), (version_b, b.summary.status)], &state.instance);
    let scenarios = compare(&a, &b);
    let body = Comparison { a: a.summary, b: b.summary, scenarios };
    let json = serde_json::to_vec(&body).map_err(ApiError::internal)?;
    Ok(version.with_json(json))
}

/// Of both. Only what is still open grows old, and nothing is known of the age of the whole as long as nothing is known
/// of one.
fn version(both: [(Version, JobStatus); 2], instance: &str) -> Version {
    let open = both.iter().filter(|(_, status)| !status.is_terminal());
    let oldest = open.map(|(version, _)| version.synced_at()).min().flatten();
    let [(a, _), (b, _)] = &both;
    Version::new(&format!("{}+{}", a.content(), b.content()), instance, oldest)
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
    let mut compared: Vec<_> = outcomes.into_iter().map(compared).collect();
    compared.sort_unstable_by(|a, b| order::natural(&a.scenario, &b.scenario));
    compared
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
