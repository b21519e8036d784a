//! What became of scenarios: one's runs over time, and two jobs side by side.

use super::{Answer, Fetched, get, get_if_changed, read};
use crate::paths::with_query;
use protocol::JobId;
use protocol::api::{Comparison, ScenarioHistory};

/// The last runs; an empty `branch` means all.
pub(crate) async fn scenario_history(environment: &str, scenario: &str, branch: &str) -> Answer<ScenarioHistory> {
    let asked = [("environment", environment), ("scenario", scenario), ("branch", branch)];
    get(with_query("/api/scenarios/history", &asked)).await
}

pub(crate) async fn compare_jobs(a: JobId, b: JobId, etag: Option<String>) -> Answer<Fetched<Comparison>> {
    let url = with_query("/api/compare", &[("a", &a.to_string()), ("b", &b.to_string())]);
    get_if_changed(url, etag, read).await
}
