//! The list of jobs: filters, search and paging by key.
//! A page starts after the last id of the one before it, so it costs the same at the millionth job.

use super::jobs::Job;
use super::schema::{jobs, users};
use super::{AnyConnection, QueryResult};
use diesel::dsl::{InnerJoinQuerySource, sql};
use diesel::expression::BoxableExpression;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use protocol::{JobId, JobStatus, UserId};

type Backend = <AnyConnection as Connection>::Backend;
type Condition = Box<dyn BoxableExpression<InnerJoinQuerySource<jobs::table, users::table>, Backend, SqlType = Bool>>;

/// What is asked for. Empty means no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only this user's jobs.
    pub owner: Option<UserId>,
    /// A job id, or the beginning of a user name; never empty.
    pub search: Option<String>,
    pub statuses: Vec<JobStatus>,
    pub environment: Option<String>,
    pub branch: Option<String>,
    /// Only jobs with a smaller id.
    pub before: Option<JobId>,
}

/// The newest matching jobs with their owners' names, at most `limit`.
pub fn list_jobs(connection: &mut AnyConnection, filter: &JobFilter, limit: i64) -> QueryResult<Vec<(Job, String)>> {
    let mut query = jobs::table
        .inner_join(users::table)
        .select((jobs::all_columns, users::username))
        .order(jobs::id.desc())
        .limit(limit)
        .into_boxed::<Backend>();
    if let Some(owner) = filter.owner {
        query = query.filter(jobs::user_id.eq(owner.0));
    }
    if let Some(search) = &filter.search {
        query = query.filter(matches_search(search));
    }
    if let Some(any_of) = has_any_status(&filter.statuses) {
        query = query.filter(any_of);
    }
    if let Some(environment) = &filter.environment {
        query = query.filter(jobs::environment.eq(environment.clone()));
    }
    if let Some(branch) = &filter.branch {
        query = query.filter(jobs::branch_name.eq(branch.clone()));
    }
    if let Some(before) = filter.before {
        query = query.filter(jobs::id.lt(before.0));
    }
    query.load(connection)
}

/// Digits: that job id, or user names that begin with them; else the start of a user name.
fn matches_search(search: &str) -> Condition {
    // User names are stored in lower case.
    let pattern = format!("{}%", escape_like(&search.to_lowercase()));
    let owner_matches = users::username.like(pattern).escape('\\');
    match search.parse::<JobId>() {
        Ok(id) if search.bytes().all(|b| b.is_ascii_digit()) => Box::new(jobs::id.eq(id.0).or(owner_matches)),
        _ => Box::new(owner_matches),
    }
}

fn escape_like(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

fn has_any_status(statuses: &[JobStatus]) -> Option<Condition> {
    statuses.iter().fold(None, |others: Option<Condition>, status| {
        let this = jobs::status.eq(status.as_str());
        Some(match others {
            None => Box::new(this),
            Some(others) => Box::new(others.or(this)),
        })
    })
}

/// How many jobs there are of each status, for the metrics.
pub fn count_by_status(connection: &mut AnyConnection) -> QueryResult<Vec<(String, i64)>> {
    jobs::table
        .group_by(jobs::status)
        .select((jobs::status, sql::<diesel::sql_types::BigInt>("count(*)")))
        .load(connection)
}

#[cfg(test)]
mod tests {
    use super::escape_like;

    #[test]
    fn wildcards_of_like_are_plain_characters() {
        assert_eq!(escape_like(r"a%b_c\d"), r"a\%b\_c\\d");
    }
}
