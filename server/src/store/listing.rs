//! The list of jobs: filters, search and paging by key.
//! A page starts after the last id of the one before it, so it costs the same at the millionth job.

mod search;

pub use search::Search;

use super::connection::on_own;
use super::jobs::OwnedJob;
use super::schema::{environment_status, jobs, users};
use super::values::{JobKey, JobStatusText, OptionalMillis, SyncStateText};
use super::{AnyConnection, QueryResult};
use diesel::dsl::sql;
use diesel::prelude::*;
use protocol::api::SyncState;
use protocol::{JobId, JobStatus, Timestamp, UserId};

/// What is asked for. Empty means no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobFilter {
    /// Only this user's jobs.
    pub owner: Option<UserId>,
    pub search: Option<Search>,
    /// Each once.
    pub statuses: Vec<JobStatus>,
    pub environment: Option<String>,
    pub branch: Option<String>,
    /// Only jobs with a smaller id.
    pub before: Option<JobId>,
}

impl JobFilter {
    /// How long the texts are that somebody filters by.
    pub fn bytes(&self) -> usize {
        let texts = [self.search.as_ref().map(Search::text), self.environment.as_deref(), self.branch.as_deref()];
        texts.into_iter().flatten().map(str::len).sum()
    }
}

/// Of a job what tells one version of it from another.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Head {
    #[diesel(deserialize_as = JobKey)]
    pub id: JobId,
    pub revision: i64,
    #[diesel(deserialize_as = JobStatusText)]
    pub status: JobStatus,
    #[diesel(deserialize_as = SyncStateText)]
    pub sync_state: SyncState,
    #[diesel(deserialize_as = OptionalMillis)]
    pub last_synced_at: Option<Timestamp>,
    pub environment: String,
    pub username: String,
    /// When all of the environment's synced jobs were last known to be as they stand here.
    #[diesel(deserialize_as = OptionalMillis)]
    pub round_at: Option<Timestamp>,
}

impl Head {
    /// Of the job as it is shown: all that can differ between two answers about it.
    pub fn version(&self, is_configured: bool) -> String {
        version(self.revision, &self.username, is_configured)
    }

    /// How old the facts are.
    pub fn synced_at(&self) -> Option<Timestamp> {
        synced_at(self.status, self.sync_state, self.last_synced_at, self.round_at)
    }
}

/// In characters that an `ETag` may have. The name stands in the body and can change without the job.
pub fn version(revision: i64, username: &str, is_configured: bool) -> String {
    let unconfigured = if is_configured { "" } else { "-unconfigured" };
    format!("{revision}-{username}{unconfigured}")
}

/// A round speaks of the jobs that were still open, not of those that had ended.
pub fn synced_at(
    status: JobStatus,
    sync_state: SyncState,
    last_synced_at: Option<Timestamp>,
    round_at: Option<Timestamp>,
) -> Option<Timestamp> {
    let is_in_rounds = sync_state == SyncState::Synced && !status.is_terminal();
    last_synced_at.max(round_at.filter(|_| is_in_rounds))
}

/// A query for heads: the same for one job and for many.
macro_rules! heads {
    () => {
        jobs::table
            .inner_join(users::table)
            .left_join(environment_status::table.on(environment_status::environment.eq(jobs::environment)))
            .select((
                jobs::id,
                jobs::revision,
                jobs::status,
                jobs::sync_state,
                jobs::last_synced_at,
                jobs::environment,
                users::username,
                environment_status::round_at.nullable(),
            ))
    };
}

/// Some of the wanted jobs, which the database can read in the order of their ids without sorting.
#[derive(Clone, Copy, Debug)]
struct Source {
    owner: Option<UserId>,
    status: Option<JobStatus>,
}

pub fn find_head(connection: &mut AnyConnection, id: JobId) -> QueryResult<Option<Head>> {
    on_own!(connection, |own| heads!().filter(jobs::id.eq(id.0)).first(own)).optional()
}

/// In no certain order; one that is gone is left out.
pub fn find_heads(connection: &mut AnyConnection, ids: &[JobId]) -> QueryResult<Vec<Head>> {
    on_own!(connection, |own| heads!().filter(jobs::id.eq_any(ids.iter().map(|id| id.0))).load(own))
}

/// The newest of the jobs that match a filter within one source; a macro, because each query's type is its own.
macro_rules! newest {
    ($query:expr, $filter:expr, $source:expr, $limit:expr) => {{
        let (filter, source): (&JobFilter, Source) = ($filter, $source);
        let mut query = $query.order(jobs::id.desc()).limit($limit.try_into().unwrap_or(i64::MAX)).into_boxed();
        if let Some(owner) = source.owner {
            query = query.filter(jobs::user_id.eq(owner.0));
        }
        if let Some(status) = source.status {
            query = query.filter(jobs::status.eq(status.as_str()));
        }
        if let Some(environment) = &filter.environment {
            query = query.filter(jobs::environment.eq(environment));
        }
        if let Some(branch) = &filter.branch {
            query = query.filter(jobs::branch_name.eq(branch));
        }
        if let Some(before) = filter.before {
            query = query.filter(jobs::id.lt(before.0));
        }
        query
    }};
}

/// The newest matching jobs, at most `limit`.
pub fn list_heads(connection: &mut AnyConnection, filter: &JobFilter, limit: usize) -> QueryResult<Vec<Head>> {
    let (sources, named) = match &filter.search {
        None => (of_each_status(vec![filter.owner], filter), None),
        Some(search) => {
            let owners = search::owners(connection, search, filter, limit)?;
            (of_each_status(owners.into_iter().map(Some).collect(), filter), search.job_id())
        }
    };
    if let ([source], None) = (&sources[..], named) {
        return on_own!(connection, |own| newest!(heads!(), filter, *source, limit).load(own));
    }
    // Each source gives its newest, so the newest of all are among them; a job is in one source, or was named.
    let mut ids = Vec::new();
    for source in sources {
        let newest: Vec<i64> =
            on_own!(connection, |own| newest!(jobs::table.select(jobs::id), filter, source, limit).load(own))?;
        ids.extend(newest);
    }
    if let Some(id) = named {
        ids.extend(find_matching(connection, filter, id)?);
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    ids.truncate(limit);
    // Each by itself, by a statement that stays prepared: one with a list in it is compiled anew, and its plan is not as
    // sure to go by the ids. One that is removed in between is not there any more.
    ids.into_iter().filter_map(|id| find_head(connection, JobId(id)).transpose()).collect()
}

/// Each status of its own is in the order of ids already; several together would have to be sorted.
fn of_each_status(owners: Vec<Option<UserId>>, filter: &JobFilter) -> Vec<Source> {
    let statuses: Vec<_> = match &filter.statuses[..] {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let of_owner = |owner: Option<UserId>| statuses.iter().map(move |status| Source { owner, status: *status });
    owners.into_iter().flat_map(of_owner).collect()
}

/// The job with this id, if it is one of those wanted.
fn find_matching(connection: &mut AnyConnection, filter: &JobFilter, id: JobId) -> QueryResult<Vec<i64>> {
    let mut found = Vec::new();
    for source in of_each_status(vec![None], filter) {
        let this = jobs::table.select(jobs::id).filter(jobs::id.eq(id.0));
        let these: Vec<i64> = on_own!(connection, |own| newest!(this, filter, source, 1).load(own))?;
        found.extend(these);
    }
    Ok(found)
}

/// Whole rows with their owners' names, in no certain order; one that is gone is left out.
pub fn find_owned_jobs(connection: &mut AnyConnection, ids: &[JobId]) -> QueryResult<Vec<OwnedJob>> {
    let rows = jobs::table
        .inner_join(users::table)
        .filter(jobs::id.eq_any(ids.iter().map(|id| id.0)))
        .select((jobs::all_columns, users::username));
    on_own!(connection, |own| rows.load(own))
}

/// Whether any job here is of that environment.
pub fn has_jobs_of(connection: &mut AnyConnection, environment: &str) -> QueryResult<bool> {
    let found = jobs::table.filter(jobs::environment.eq(environment)).select(jobs::id).first::<i64>(connection);
    Ok(found.optional()?.is_some())
}

/// How many jobs there are of each status and environment, for the metrics.
pub fn count_jobs(connection: &mut AnyConnection) -> QueryResult<Vec<(String, String, i64)>> {
    jobs::table
        .group_by((jobs::environment, jobs::status))
        .select((jobs::environment, jobs::status, sql::<diesel::sql_types::BigInt>("count(*)")))
        .load(connection)
}

/// For how many jobs of each environment something should have been done by now beside the plain rounds, for the metrics.
pub fn count_due(connection: &mut AnyConnection, now: Timestamp) -> QueryResult<Vec<(String, i64)>> {
    jobs::table
        .filter(jobs::next_at.le(now.0))
        .group_by(jobs::environment)
        .select((jobs::environment, sql::<diesel::sql_types::BigInt>("count(*)")))
        .load(connection)
}
