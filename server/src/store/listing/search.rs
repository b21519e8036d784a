//! A search: a job's id, and the beginning of user names.
//! Whose jobs can be on the page is found first, so that no other job is looked at.

use super::JobFilter;
use crate::store::schema::users;
use crate::store::{AnyConnection, QueryResult};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use protocol::{JobId, UserId, names};
use std::fmt::Write;

type Backend = <AnyConnection as Connection>::Backend;

/// So many owners are asked one by one.
const FEW: i64 = 8;

/// What somebody searches for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Search(String);

impl Search {
    /// `None` if nothing is searched for.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        // User names are stored in lower case.
        (!text.is_empty()).then(|| Self(text.to_lowercase()))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn job_id(&self) -> Option<JobId> {
        let id: JobId = self.0.parse().ok()?;
        // Neither a sign nor leading zeros.
        (id.to_string() == self.0 && id.0 >= 0).then_some(id)
    }

    /// The beginning of user names, and the first text that is past all of them; `None` if no name begins so.
    /// What a user name begins with could be one itself.
    fn names(&self) -> Option<(&str, String)> {
        let (rest, last) = self.0.split_at_checked(self.0.len().checked_sub(1)?)?;
        let next = char::from(last.bytes().next()?.checked_add(1)?);
        names::is_username(&self.0).then(|| (self.0.as_str(), format!("{rest}{next}")))
    }
}

/// The users whose jobs can be among the `limit` newest that match.
pub(super) fn owners(
    connection: &mut AnyConnection,
    search: &Search,
    filter: &JobFilter,
    limit: usize,
) -> QueryResult<Vec<UserId>> {
    let Some((from, past)) = search.names() else {
        return Ok(Vec::new());
    };
    let named = users::table.select(users::id).limit(FEW + 1).into_boxed::<Backend>();
    let named = match connection {
        AnyConnection::Sqlite(_) => named.filter(users::username.ge(from)).filter(users::username.lt(&past)),
        // It may sort texts as some language does, and then no range holds what begins alike.
        AnyConnection::Postgresql(_) => named.filter(users::username.like(beginning_with(from)).escape('\\')),
    };
    let few: Vec<i64> = named.load(connection)?;
    if i64::try_from(few.len()).is_ok_and(|found| found <= FEW) {
        return Ok(few.into_iter().map(UserId).collect());
    }
    let owners = owners_of_newest(connection, from, &past, filter, limit)?;
    Ok(owners.into_iter().map(|owner| UserId(owner.id)).collect())
}

#[derive(QueryableByName)]
struct Owner {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The newest jobs of all are those of the owners whose own newest are the newest.
fn owners_of_newest(
    connection: &mut AnyConnection,
    from: &str,
    past: &str,
    filter: &JobFilter,
    limit: usize,
) -> QueryResult<Vec<Owner>> {
    let mut of_owner = Conditions { sql: "j.user_id = u.id".to_owned(), values: Vec::new() };
    if let Some(before) = filter.before {
        of_owner.and("j.id <", Value::Id(before.0));
    }
    if let Some(environment) = &filter.environment {
        of_owner.and("j.environment =", Value::Text(environment.clone()));
    }
    if let Some(branch) = &filter.branch {
        of_owner.and("j.branch_name =", Value::Text(branch.clone()));
    }
    if !filter.statuses.is_empty() {
        // Words of ours, which need no quoting.
        let words: Vec<_> = filter.statuses.iter().map(|status| format!("'{status}'")).collect();
        let _ = write!(of_owner.sql, " AND j.status IN ({})", words.join(","));
    }
    let mut named = Conditions { sql: "1 = 1".to_owned(), values: of_owner.values };
    match connection {
        AnyConnection::Sqlite(_) => {
            named.and("u.username >=", Value::Text(from.to_owned()));
            named.and("u.username <", Value::Text(past.to_owned()));
        }
        AnyConnection::Postgresql(_) => {
            named.and("u.username LIKE", Value::Text(beginning_with(from)));
        }
    }
    let text = format!(
        "SELECT id FROM (SELECT u.id AS id, (SELECT j.id FROM jobs j WHERE {} ORDER BY j.id DESC LIMIT 1) AS newest \
         FROM users u WHERE {}) owners WHERE newest IS NOT NULL ORDER BY newest DESC LIMIT {limit}",
        of_owner.sql, named.sql
    );
    let query = diesel::sql_query(text).into_boxed::<Backend>();
    let bound = named.values.into_iter().fold(query, |query, value| match value {
        Value::Id(id) => query.bind::<BigInt, _>(id),
        Value::Text(text) => query.bind::<Text, _>(text),
    });
    bound.load(connection)
}

enum Value {
    Id(i64),
    Text(String),
}

/// Both databases take `$1`, and number what they get in the order of its first use.
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn and(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        let _ = write!(self.sql, " AND {condition} ${}", self.values.len());
    }
}

/// A backslash escapes by default in PostgreSQL. Of the characters of a user name only one means anything.
fn beginning_with(start: &str) -> String {
    format!("{}%", start.replace('_', r"\_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_for_an_id_or_for_what_user_names_begin_with() {
        let search = |text: &str| Search::new(text).unwrap();
        assert_eq!(search("Ad").names(), Some(("ad", "ae".to_owned())));
        assert_eq!(search(" 42 ").names(), Some(("42", "43".to_owned())));
        assert_eq!(
            (search("42").job_id(), search("042").job_id(), search("-42").job_id()),
            (Some(JobId(42)), None, None)
        );
        for no_name in ["a%b", "a b", "_a", "ä", "İ", "a\\", "+42", &"a".repeat(33), "99999999999999999999a a"] {
            assert_eq!(search(no_name).names(), None, "{no_name}");
        }
        assert_eq!(search("99999999999999999999").job_id(), None);
        assert_eq!(Search::new("  "), None);
    }

    #[test]
    fn wildcards_of_like_are_plain_characters() {
        assert_eq!(beginning_with("a_b"), r"a\_b%");
    }
}
