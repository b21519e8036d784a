//! When jobs that have not ended will probably start and end: the waiting line is played through with the usual
//! durations of its scenarios. Reckoned for a whole environment at once and kept for a moment, whoever asks.

use super::history::median;
use crate::error::ApiResult;
use crate::estimates::Reckoning;
use crate::state::AppState;
use crate::store::environments::find_environment_status;
use crate::store::runs::{self, OpenTask, Series};
use crate::store::{AnyConnection, QueryResult};
use protocol::api::Estimate;
use protocol::{JobId, TaskStatus, Timestamp};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Of how many tasks at the head of the line the future is told.
const MAX_TASKS: i64 = 5_000;
/// From how many of its last runs a scenario's usual duration is taken.
const USUAL_RUNS: i64 = 20;

/// Of a job that has not ended.
pub(super) async fn estimate(state: &AppState, environment: &str, job: JobId) -> ApiResult<Estimate> {
    // Nobody can make up names here: only of configured environments something is kept.
    if !state.environments.contains_key(environment) {
        return Ok(Estimate::default());
    }
    let (store, name) = (state.store.clone(), environment.to_owned());
    let reckon = move || {
        let (store, name) = (store.clone(), name.clone());
        async move { store.read(move |connection| reckon_environment(connection, &name)).await }
    };
    Ok(state.estimates.of(environment, job, reckon).await?)
}

fn reckon_environment(connection: &mut AnyConnection, name: &str) -> QueryResult<Reckoning> {
    let slots = find_environment_status(connection, name)?.and_then(|status| status.slots);
    let Some(slots) = slots.and_then(|slots| usize::try_from(slots).ok()).filter(|slots| *slots > 0) else {
        return Ok(Reckoning::default());
    };
    let tasks = runs::list_open_tasks(connection, name, MAX_TASKS)?;
    let mut usual = HashMap::new();
    for task in &tasks {
        if !usual.contains_key(&task.scenario) {
            let series = Series { environment: name.to_owned(), scenario: task.scenario.clone(), branch: None };
            let runs = runs::last_runs(connection, &series, USUAL_RUNS)?;
            let decided = runs.iter().filter(|run| matches!(run.status, TaskStatus::Passed | TaskStatus::Failed));
            let mut durations: Vec<i64> = decided.filter_map(|run| run.duration_ms).collect();
            durations.sort_unstable();
            usual.insert(task.scenario.clone(), median(&durations));
        }
    }
    let newest = tasks.iter().map(|task| task.job_id).max();
    Ok(Reckoning { by_job: reckon(&tasks, slots, &usual, Timestamp::now()), newest })
}

/// Plays the line through. A scenario that has never run takes as long as the others do on average; where none ever ran,
/// nothing is known.
fn reckon(
    tasks: &[OpenTask],
    slots: usize,
    usual: &HashMap<String, Option<i64>>,
    now: Timestamp,
) -> HashMap<JobId, Estimate> {
    let known: Vec<i64> = usual.values().copied().flatten().collect();
    let Some(count) = i64::try_from(known.len()).ok().filter(|count| *count > 0) else {
        return HashMap::new();
    };
    let average = known.iter().sum::<i64>() / count;
    let duration = |task: &OpenTask| usual.get(&task.scenario).copied().flatten().unwrap_or(average);
    let mut free_at: BinaryHeap<Reverse<i64>> = (0..slots).map(|_| Reverse(now.0)).collect();
    let mut found = HashMap::<JobId, Estimate>::new();
    for task in in_turn(tasks) {
        let Some(Reverse(start)) = free_at.pop() else { break };
        let end = match task.started_at.filter(|_| task.status == TaskStatus::Running) {
            Some(began) => (began.0 + duration(task)).max(now.0),
            None => start + duration(task),
        };
        free_at.push(Reverse(end));
        let estimate = found.entry(task.job_id).or_default();
        estimate.ends_at = estimate.ends_at.max(Some(Timestamp(end)));
        if !task.job_has_started {
            estimate.starts_at = Some(estimate.starts_at.map_or(Timestamp(start), |at| at.min(Timestamp(start))));
        }
    }
    found
}

/// What runs holds its slot already; then the rest of the jobs that have begun, then the line.
fn in_turn(tasks: &[OpenTask]) -> Vec<&OpenTask> {
    let mut in_turn: Vec<_> = tasks.iter().collect();
    in_turn.sort_by_key(|task| {
        let is_waiting = task.status != TaskStatus::Running;
        (is_waiting, !task.job_has_started, task.position.unwrap_or(i64::MAX), task.job_id, task.n)
    });
    in_turn
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn task(job: i64, n: i64, scenario: &str, began: Option<i64>, position: Option<i64>) -> OpenTask {
        OpenTask {
            job_id: JobId(job),
            n,
            scenario: scenario.to_owned(),
            status: if began.is_some() { TaskStatus::Running } else { TaskStatus::Waiting },
            started_at: began.map(Timestamp),
            position,
            job_has_started: position.is_none(),
        }
    }

    fn reckoned(tasks: &[OpenTask], slots: usize) -> Vec<(i64, Option<i64>, Option<i64>)> {
        let usual =
            HashMap::from([("fast".to_owned(), Some(100)), ("slow".to_owned(), Some(1_000)), ("new".to_owned(), None)]);
        let after = |at: Option<Timestamp>| at.map(|at| at.0 - NOW.0);
        let reckoned = reckon(tasks, slots, &usual, NOW);
        let mut of_jobs: Vec<_> =
            reckoned.into_iter().map(|(id, it)| (id.0, after(it.starts_at), after(it.ends_at))).collect();
        of_jobs.sort_unstable();
        of_jobs
    }

    #[test]
    fn the_line_is_played_through_slot_by_slot() {
        let running = task(1, 1, "slow", Some(NOW.0 - 400), None);
        let (second, first) = (task(3, 1, "fast", None, Some(2)), task(2, 1, "slow", None, Some(1)));
        let one_slot = reckoned(&[second.clone(), running.clone(), first.clone()], 1);
        assert_eq!(one_slot, [(1, None, Some(600)), (2, Some(600), Some(1_600)), (3, Some(1_600), Some(1_700))]);
        let two_slots = reckoned(&[second, running, first], 2);
        assert_eq!(two_slots, [(1, None, Some(600)), (2, Some(0), Some(1_000)), (3, Some(600), Some(700))]);
    }

    #[test]
    fn what_is_overdue_ends_now_and_what_is_new_takes_the_average() {
        assert_eq!(reckoned(&[task(1, 1, "fast", Some(NOW.0 - 400), None)], 1), [(1, None, Some(0))]);
        assert_eq!(reckoned(&[task(1, 1, "new", None, Some(1))], 1), [(1, Some(0), Some(550))]);
        assert!(reckon(&[task(1, 1, "new", None, Some(1))], 1, &HashMap::new(), NOW).is_empty());
    }
}
