//! The list of jobs: filters, search, and paging by key.

use super::bodies::{Shown, Surroundings};
use super::conditional::{Conditional, Version};
use super::estimate::estimate;
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Query};
use crate::state::AppState;
use crate::store::environments::list_environment_status;
use crate::store::listing::{self, JobFilter, Search};
use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::api::{DEFAULT_PAGE, JobList, JobSummary, MAX_PAGE};
use protocol::{JobId, JobStatus};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// An empty value is no filter, as a form with untouched fields sends it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    search: Option<String>,
    #[serde(default)]
    status: Vec<String>,
    environment: Option<String>,
    branch: Option<String>,
    #[schemars(with = "Option<u32>", range(min = 1, max = 200))]
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list_jobs(
    State(state): State<AppState>,
    user: CurrentUser,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> ApiResult<Conditional<JobList>> {
    let limit = read_limit(query.limit.as_deref())?;
    let filter = read_filter(query, &user)?;
    let found = state.store.read(move |connection| {
        let statuses = list_environment_status(connection)?;
        // One more than asked for tells whether there is another page.
        let heads = listing::list_heads(connection, &filter, limit as usize + 1)?;
        let ids: Vec<_> = heads.iter().map(|head| head.id).collect();
        let mut rows = listing::find_jobs(connection, &ids)?;
        rows.sort_unstable_by_key(|(job, _)| std::cmp::Reverse(job.id));
        Ok((rows, statuses))
    });
    let (rows, statuses) = found.await?;
    let has_more = rows.len() > limit as usize;
    let shown: Vec<Shown> = rows
        .into_iter()
        .take(limit as usize)
        .map(|(job, username)| {
            let surroundings = Surroundings::of(&job, &state, &statuses);
            Shown { job, username, surroundings }
        })
        .collect();
    let version = version(&shown, has_more);
    if version.is_known_to(&headers) {
        return Ok(version.unchanged());
    }
    let next_cursor = shown.last().filter(|_| has_more).map(|last| write_cursor(last.job.id));
    let mut jobs: Vec<_> = shown.into_iter().map(JobSummary::from).collect();
    for job in jobs.iter_mut().filter(|job| !job.status.is_terminal()) {
        job.estimate = estimate(&state, &job.environment, job.id).await?;
    }
    Ok(version.with_body(JobList { jobs, next_cursor }))
}

/// From the rows themselves: commits may come in another order than revisions, so the highest one says nothing.
fn version(shown: &[Shown], has_more: bool) -> Version {
    let mut digest = Sha256::new();
    for job in shown {
        digest.update(format!("{}:{};", job.job.id, job.version()));
    }
    digest.update([u8::from(has_more)]);
    let open = shown.iter().filter(|shown| !shown.job.status.is_terminal());
    let oldest = open.filter_map(Shown::synced_at).min();
    Version::new(&URL_SAFE_NO_PAD.encode(&digest.finalize()[..16]), oldest)
}

fn read_filter(query: ListQuery, user: &CurrentUser) -> ApiResult<JobFilter> {
    let search = query.search.as_deref().and_then(Search::new);
    // The default view is for quiet; whoever searches sees everybody's.
    let only_own = search.is_none() && !user.user.is_admin;
    Ok(JobFilter {
        owner: only_own.then(|| user.id()),
        search,
        statuses: read_statuses(&query.status)?,
        environment: query.environment.filter(|name| !name.is_empty()),
        branch: query.branch.filter(|name| !name.is_empty()),
        before: query.cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| read_cursor(&cursor)).transpose()?,
    })
}

/// Each once, however often it is asked for; all of them are no filter.
fn read_statuses(words: &[String]) -> ApiResult<Vec<JobStatus>> {
    let mut wanted = HashSet::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        let status: Result<JobStatus, _> = word.parse();
        wanted.insert(status.map_err(|_| ApiError::invalid("status", format!("there is no status \"{word}\"")))?);
    }
    let some: Vec<_> = JobStatus::ALL.iter().copied().filter(|status| wanted.contains(status)).collect();
    Ok(if some.len() == JobStatus::ALL.len() { Vec::new() } else { some })
}

pub(super) fn read_limit(text: Option<&str>) -> ApiResult<u32> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(DEFAULT_PAGE);
    };
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| ApiError::invalid("limit", format!("a number from 1 to {MAX_PAGE}")))
}

/// Opaque to clients, so that paging can change; here the last id of the page before.
fn write_cursor(last: JobId) -> String {
    URL_SAFE_NO_PAD.encode(format!("before {last}"))
}

fn read_cursor(cursor: &str) -> ApiResult<JobId> {
    let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let id = decoded.and_then(|text| text.strip_prefix("before ")?.parse().ok());
    id.ok_or_else(|| ApiError::invalid("cursor", "this is no cursor that a page of jobs has given"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_to_the_client_and_back() {
        assert_eq!(read_cursor(&write_cursor(JobId(42))).unwrap(), JobId(42));
        for bad in ["42", "!", "YmVmb3JlIHg"] {
            assert!(read_cursor(bad).is_err(), "{bad}");
        }
    }
}
