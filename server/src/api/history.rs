//! A scenario's runs over time, and figures about them: how often it passes, how long it takes, how flaky it is.

use super::conditional::Listed;
use super::cursor::Cursors;
use super::environments::{choose_environment, no_such_environment};
use super::listing::read_limit;
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Filter, Query, given};
use crate::state::AppState;
use crate::store::listing::has_jobs_of;
use crate::store::runs::{self as store, Before, PassedRun, Run, RunOfJob, Series};
use crate::store::{AnyConnection, QueryResult};
use axum::extract::State;
use protocol::api::{self, LastPassed, RunSummary, SUMMARY_RUNS, ScenarioFigures, ScenarioHistory, ScenarioStats};
use protocol::{JobId, TaskStatus, Timestamp, names};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The place is the last run of the page before.
const CURSORS: Cursors = Cursors { mark: "run before", giver: "a page of runs" };

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// May be left out when exactly one is configured; one that is not any more is known as long as its jobs are here.
    #[serde(default)]
    environment: Filter,
    scenario: String,
    /// All branches, if left out.
    #[serde(default)]
    branch: Filter,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    cursor: Filter,
}

pub(super) async fn list_history(
    State(state): State<AppState>,
    _: CurrentUser,
    Query(query): Query<HistoryQuery>,
) -> ApiResult<Listed<ScenarioHistory>> {
    let limit = read_limit(query.limit)?;
    let before = CURSORS.read(query.cursor, read_place)?;
    if !names::is_scenario_name(&query.scenario) {
        return Err(ApiError::invalid("scenario", "this is no name that a scenario can have"));
    }
    let place = Place::of(&state, query.environment.as_deref())?;
    let series =
        Series { environment: place.name.clone(), scenario: query.scenario, branch: read_branch(query.branch)? };
    let found = state.store.read(move |connection| {
        if !place.is_known(connection)? {
            return Ok(Err(no_such_environment(&place.name)));
        }
        let summary = summary(&store::last_runs(connection, &series, SUMMARY_RUNS.into())?);
        // One more than asked for tells whether there is another page.
        let mut found = store::list_runs(connection, &series, before, i64::from(limit) + 1)?;
        let has_more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next_cursor = found.last().filter(|_| has_more).map(|(last, ..)| CURSORS.write(place_of(last)));
        let runs = found.into_iter().map(|run| run_body(connection, run)).collect::<QueryResult<_>>()?;
        Ok(Ok(ScenarioHistory { runs, summary, next_cursor }))
    });
    found.await?.map(Listed)
}

/// Where something has run: also an environment that is not configured any more, as long as its jobs are here.
struct Place {
    name: String,
    is_configured: bool,
}

impl Place {
    fn of(state: &AppState, name: Option<&str>) -> ApiResult<Self> {
        if let Some(gone) = name.filter(|name| !state.environments.contains_key(*name)) {
            return Ok(Self { name: gone.to_owned(), is_configured: false });
        }
        let name = choose_environment(state, name)?.config.name.clone();
        Ok(Self { name, is_configured: true })
    }

    fn is_known(&self, connection: &mut AnyConnection) -> QueryResult<bool> {
        Ok(self.is_configured || has_jobs_of(connection, &self.name)?)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatsQuery {
    /// May be left out when exactly one is configured; one that is not any more is known as long as its jobs are here.
    #[serde(default)]
    environment: Filter,
    /// All branches, if left out.
    #[serde(default)]
    branch: Filter,
}

pub(super) async fn list_stats(
    State(state): State<AppState>,
    _: CurrentUser,
    Query(query): Query<StatsQuery>,
) -> ApiResult<Listed<ScenarioStats>> {
    let place = Place::of(&state, query.environment.as_deref())?;
    let branch = read_branch(query.branch)?;
    let found = state.store.read(move |connection| {
        if !place.is_known(connection)? {
            return Ok(Err(no_such_environment(&place.name)));
        }
        let environment = place.name;
        let scenarios = store::list_scenarios(connection, &environment, branch.as_deref())?;
        let mut found = BTreeMap::new();
        for scenario in scenarios {
            let series = Series { environment: environment.clone(), scenario, branch: branch.clone() };
            let runs = store::last_runs(connection, &series, SUMMARY_RUNS.into())?;
            found.extend(figures(&runs).map(|figures| (series.scenario, figures)));
        }
        Ok(Ok(ScenarioStats { stats: found }))
    });
    found.await?.map(Listed)
}

fn figures(runs: &[Run]) -> Option<ScenarioFigures> {
    let last = runs.first()?;
    let RunSummary { runs, median_ms, flakiness, .. } = summary(runs);
    Some(ScenarioFigures { last_status: last.status, last_job_id: last.job_id, runs, median_ms, flakiness })
}

fn read_branch(branch: Filter) -> ApiResult<Option<String>> {
    if branch.as_deref().is_none_or(names::is_branch_name) {
        return Ok(branch.0);
    }
    Err(ApiError::invalid("branch", "this is no name that a git branch can have"))
}

fn run_body(connection: &mut AnyConnection, (run, commit, queue_id): RunOfJob) -> QueryResult<api::Run> {
    Ok(api::Run {
        last_passed: last_passed(connection, &run)?,
        job_id: run.job_id,
        task_id: format!("{queue_id}-{}", run.n),
        branch_name: run.branch_name,
        commit,
        status: run.status,
        duration_ms: run.duration_ms,
        finished_at: run.finished_at,
    })
}

/// Where a run that did not pass had passed last: on its own branch, else on the default branch.
pub(super) fn last_passed(connection: &mut AnyConnection, run: &Run) -> QueryResult<Option<LastPassed>> {
    if run.status == TaskStatus::Passed {
        return Ok(None);
    }
    for branch in [run.branch_name.as_str()].into_iter().chain(store::DEFAULT_BRANCHES) {
        if let Some(passed) = store::last_passed(connection, run, branch)? {
            let PassedRun { job_id, commit, finished_at } = passed;
            return Ok(Some(LastPassed { job_id, commit, finished_at }));
        }
    }
    Ok(None)
}

/// Of runs from the newest to the oldest.
fn summary(runs: &[Run]) -> RunSummary {
    let count = |status| u32::try_from(runs.iter().filter(|run| run.status == status).count()).unwrap_or(u32::MAX);
    let decided = || runs.iter().filter(|run| matches!(run.status, TaskStatus::Passed | TaskStatus::Failed));
    let mut durations: Vec<i64> = decided().filter_map(|run| run.duration_ms).collect();
    durations.sort_unstable();
    RunSummary {
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        passed: count(TaskStatus::Passed),
        failed: count(TaskStatus::Failed),
        error: count(TaskStatus::Error),
        median_ms: median(&durations),
        p90_ms: percentile_90(&durations),
        flakiness: flakiness(&decided().collect::<Vec<_>>()),
    }
}

/// Of sorted values; of an even number the middle of the two in the middle.
pub(super) fn median(sorted: &[i64]) -> Option<i64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(i64::midpoint(lower, upper))
}

/// The smallest value that nine tenths do not exceed.
fn percentile_90(sorted: &[i64]) -> Option<i64> {
    sorted.get((sorted.len() * 9).div_ceil(10).checked_sub(1)?).copied()
}

fn flakiness(decided: &[&Run]) -> Option<f64> {
    let (mut pairs, mut differing) = (0_u32, 0_u32);
    for (at, run) in decided.iter().enumerate() {
        let before = decided[at + 1..].iter().find(|before| before.branch_name == run.branch_name);
        if let Some(before) = before {
            pairs += 1;
            differing += u32::from(before.status != run.status);
        }
    }
    (pairs > 0).then(|| f64::from(differing) / f64::from(pairs))
}

fn place_of(last: &Run) -> String {
    format!("{} {}", last.finished_at.0, last.job_id)
}

fn read_place(place: &str) -> Option<Before> {
    let (finished_at, job_id) = place.split_once(' ')?;
    Some(Before { finished_at: Timestamp(finished_at.parse().ok()?), job_id: JobId(job_id.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(statuses: &[(TaskStatus, &str, i64)]) -> Vec<Run> {
        let run = |(at, (status, branch, duration)): (i64, &(TaskStatus, &str, i64))| Run {
            job_id: JobId(at),
            n: 1,
            environment: "bench-a".to_owned(),
            branch_name: (*branch).to_owned(),
            scenario: "smoke/boot".to_owned(),
            status: *status,
            duration_ms: Some(*duration),
            finished_at: Timestamp(at),
        };
        (0..).zip(statuses).map(run).collect()
    }

    #[test]
    fn figures_are_of_the_runs_that_passed_or_failed() {
        use TaskStatus::{Error, Failed, Passed, Skipped};
        let of = |statuses: &[_]| summary(&runs(statuses));
        let mixed = [
            (Passed, "main", 100),
            (Failed, "main", 300),
            (Error, "main", 9_000),
            (Passed, "main", 200),
            (Skipped, "main", 0),
        ];
        let expected = RunSummary {
            runs: 5,
            passed: 2,
            failed: 1,
            error: 1,
            median_ms: Some(200),
            p90_ms: Some(300),
            flakiness: Some(1.0),
        };
        assert_eq!(of(&mixed), expected);
        assert_eq!(of(&[]), RunSummary::default());
        assert_eq!(of(&[(Passed, "main", 1)]).flakiness, None);
        // Each branch is compared with itself.
        let two = [(Passed, "a", 1), (Failed, "b", 1), (Passed, "a", 2), (Failed, "b", 4)];
        assert_eq!((of(&two).flakiness, of(&two).median_ms), (Some(0.0), Some(1)));
        assert_eq!(of(&two[..2]).flakiness, None);
    }

    #[test]
    fn a_cursor_survives_the_way_to_the_client_and_back() {
        let last = &runs(&[(TaskStatus::Passed, "main", 1)])[0];
        assert_eq!(read_place(&place_of(last)), Some(Before { finished_at: Timestamp(0), job_id: JobId(0) }));
        for bad in ["42", "", "x 1", "1 x"] {
            assert_eq!(read_place(bad), None, "{bad}");
        }
    }
}
