//! The list of jobs: filters, search, and paging by key.

use super::bodies::{Shown, Surroundings};
use super::conditional::Conditional;
use super::cursor::Cursors;
use super::estimate::estimate;
use super::jobs::version_of;
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Filter, Query, given};
use crate::kept::Body;
use crate::state::AppState;
use crate::store::jobs::OwnedJob;
use crate::store::listing::{self, Head, JobFilter, Search};
use crate::store::{AnyConnection, QueryResult};
use crate::version::{Known, Looked, Version};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::api::{DEFAULT_PAGE, JobList, JobSummary, MAX_PAGE};
use protocol::{JobId, JobStatus};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The place is the last id of the page before.
const CURSORS: Cursors = Cursors { mark: "before", giver: "a page of jobs" };

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    search: Filter,
    /// An empty one is left out.
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    environment: Filter,
    #[serde(default)]
    branch: Filter,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Filter,
}

pub(super) async fn list_jobs(
    State(state): State<AppState>,
    user: CurrentUser,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> ApiResult<Conditional<JobList>> {
    let limit = read_limit(query.limit)? as usize;
    let filter = read_filter(query, &user)?;
    let looked = look(&state, (filter, limit), Known::of(&headers)).await?;
    Ok(match &looked.json {
        Some(json) => looked.version.with_json(json.clone()),
        None => looked.version.unchanged(),
    })
}

/// What is asked for, and how many at most.
type Wanted = (JobFilter, usize);

/// The list's version, and its body unless the client has it.
async fn look(state: &AppState, wanted: Wanted, known: Known) -> ApiResult<Arc<Looked>> {
    let asked = wanted.0.bytes() + known.bytes();
    let (asking, key) = (state.clone(), (wanted, known));
    let of = key.clone();
    let question = move || look_once(asking.clone(), of.0.clone(), of.1.clone());
    state.list_looks.ask(&state.store, key, question, |looked| looked.bytes() + asked).await
}

async fn look_once(state: AppState, (filter, limit): Wanted, known: Known) -> ApiResult<Arc<Looked>> {
    let reader = state.clone();
    let found = state.store.read(move |connection| {
        // One more than asked for tells whether there is another page.
        let mut heads = listing::list_heads(connection, &filter, limit + 1)?;
        let has_more = heads.len() > limit;
        heads.truncate(limit);
        let version = version(&heads, &reader, has_more);
        if known.has(&version) {
            return Ok((version, None));
        }
        let page = Page::find(connection, &reader, heads, has_more)?;
        Ok((version, Some(page)))
    });
    let (version, page) = found.await?;
    let json = match page {
        Some(page) => Some(page.write(&state).await?.into()),
        None => None,
    };
    Ok(Arc::new(Looked { version, json }))
}

/// The rows of a page: as they were written before, where their version is still the same, else anew.
struct Page {
    heads: Vec<(Head, Option<Bytes>)>,
    anew: HashMap<JobId, OwnedJob>,
    has_more: bool,
}

impl Page {
    fn find(connection: &mut AnyConnection, state: &AppState, heads: Vec<Head>, has_more: bool) -> QueryResult<Self> {
        let kept = |head: Head| {
            let version = version_of(&head, state);
            let json = state.kept.find(Body::Row, head.id, version.content(), version.synced_at());
            (head, json)
        };
        let heads: Vec<_> = heads.into_iter().map(kept).collect();
        let missing: Vec<_> = heads.iter().filter(|(_, json)| json.is_none()).map(|(head, _)| head.id).collect();
        let rows = if missing.is_empty() { Vec::new() } else { listing::find_owned_jobs(connection, &missing)? };
        let anew = rows.into_iter().map(|owned| (owned.job.id, owned)).collect();
        Ok(Self { heads, anew, has_more })
    }

    /// The body of a `JobList`.
    async fn write(mut self, state: &AppState) -> ApiResult<Vec<u8>> {
        let mut body = b"{\"jobs\":[".to_vec();
        let last = self.heads.last().map(|(head, _)| head.id);
        let mut is_first = true;
        for (head, json) in self.heads {
            let json = match (json, self.anew.remove(&head.id)) {
                (Some(json), _) => json,
                (None, Some(owned)) => write_row(state, owned, &head).await?,
                // Removed between the two looks.
                (None, None) => continue,
            };
            if !is_first {
                body.push(b',');
            }
            is_first = false;
            body.extend_from_slice(&json);
        }
        let next_cursor = last.filter(|_| self.has_more).map(|last| CURSORS.write(last));
        body.extend_from_slice(b"],\"next_cursor\":");
        serde_json::to_writer(&mut body, &next_cursor).map_err(ApiError::internal)?;
        body.push(b'}');
        Ok(body)
    }
}

async fn write_row(state: &AppState, OwnedJob { job, username }: OwnedJob, head: &Head) -> ApiResult<Bytes> {
    let surroundings = Surroundings::of(&job, state, head.round_at);
    let shown = Shown { job, username, surroundings };
    let (version, synced_at) = (shown.version(), shown.synced_at());
    let mut summary = JobSummary::from(shown);
    if !summary.status.is_terminal() {
        summary.estimate = estimate(state, &summary.environment, summary.id).await?;
    }
    let json = serde_json::to_vec(&summary).map(Bytes::from).map_err(ApiError::internal)?;
    state.kept.keep(Body::Row, head.id, &version, synced_at, &json);
    Ok(json)
}

/// From the rows themselves: commits may come in another order than revisions, so the highest one says nothing.
fn version(heads: &[Head], state: &AppState, has_more: bool) -> Version {
    let mut digest = Sha256::new();
    for head in heads {
        let is_configured = state.environments.contains_key(&head.environment);
        digest.update(format!("{}:{};", head.id, head.version(is_configured)));
    }
    digest.update([u8::from(has_more)]);
    let open = heads.iter().filter(|head| !head.status.is_terminal());
    // Nothing is known of the age of the whole as long as nothing is known of one.
    let oldest = open.map(Head::synced_at).min().flatten();
    Version::new(&URL_SAFE_NO_PAD.encode(&digest.finalize()[..16]), &state.instance, oldest)
}

fn read_filter(query: ListQuery, user: &CurrentUser) -> ApiResult<JobFilter> {
    let search = query.search.as_deref().and_then(Search::new);
    // The default view is for quiet; whoever searches sees everybody's.
    let only_own = search.is_none() && !user.user.is_admin;
    Ok(JobFilter {
        owner: only_own.then(|| user.id()),
        search,
        statuses: read_statuses(&query.status)?,
        environment: query.environment.0,
        branch: query.branch.0,
        before: CURSORS.read(query.cursor, |place| place.parse().ok())?,
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

pub(super) fn read_limit(limit: Option<u32>) -> ApiResult<u32> {
    match limit.unwrap_or(DEFAULT_PAGE) {
        limit @ 1..=MAX_PAGE => Ok(limit),
        _ => Err(ApiError::invalid("limit", format!("must be a number from 1 to {MAX_PAGE}"))),
    }
}
