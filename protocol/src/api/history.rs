//! What became of scenarios over time: a scenario's runs, figures about them, and two jobs side by side.

use super::JobSummary;
use crate::{JobId, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many of a scenario's last runs its figures are made from.
pub const SUMMARY_RUNS: u32 = 50;

/// The last run that passed before one that did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LastPassed {
    pub job_id: JobId,
    pub commit: String,
    pub finished_at: Timestamp,
}

/// One scenario of one job that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Run {
    pub job_id: JobId,
    pub task_id: String,
    pub branch_name: String,
    pub commit: String,
    pub status: TaskStatus,
    pub duration_ms: Option<i64>,
    pub finished_at: Timestamp,
    /// Only of a run that did not pass.
    pub last_passed: Option<LastPassed>,
}

/// Of a scenario's last runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct RunSummary {
    pub runs: u32,
    pub passed: u32,
    pub failed: u32,
    pub error: u32,
    /// Of the runs that passed or failed: the middle one, or half way between the two in the middle, rounded down.
    pub median_ms: Option<i64>,
    /// Of the same runs: the shortest time that nine tenths of them did not exceed.
    pub p90_ms: Option<i64>,
    /// How often a run's outcome differs from that of the run before it on the same branch, 0.0 to 1.0.
    pub flakiness: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ScenarioHistory {
    pub runs: Vec<Run>,
    pub summary: RunSummary,
    pub next_cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ScenarioStats {
    /// By scenario.
    pub stats: BTreeMap<String, ScenarioFigures>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ScenarioFigures {
    pub last_status: TaskStatus,
    pub last_job_id: JobId,
    pub runs: u32,
    /// As in a `RunSummary`, of the last 50 runs.
    pub median_ms: Option<i64>,
    pub flakiness: Option<f64>,
}

words! {
    /// How a scenario's outcome in one job stands to that in another.
    Change {
        NewlyFailed = "newly_failed",
        Fixed = "fixed",
        StillFailing = "still_failing",
        Same = "same",
        OnlyA = "only_a",
        OnlyB = "only_b",
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Comparison {
    pub a: JobSummary,
    pub b: JobSummary,
    pub scenarios: Vec<ComparedScenario>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ComparedScenario {
    pub scenario: String,
    pub a: Option<TaskStatus>,
    pub b: Option<TaskStatus>,
    pub change: Change,
}

/// When a job that has not ended will probably start and end; unknown where there is nothing to reckon from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Estimate {
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
}
