//! Rows of `audit_log`: who did what that others may ask about later. Nothing here changes an entry.
//! An entry is written in the transaction of the deed itself.

use super::schema::{audit_log, counters};
use super::values::{AuditKey, Millis, ViaText};
use super::{AnyConnection, QueryResult};
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use protocol::api::{AuditAction, Via};
use protocol::{AuditId, Timestamp};
use std::net::IpAddr;

/// How many entries one sweep looks at.
const SWEEP_SIZE: i64 = 1_000;

/// One deed. `detail` is a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// A user's name; `None` for what nobody signed in did.
    pub actor: Option<String>,
    pub via: Via,
    pub address: Option<String>,
    pub action: AuditAction,
    /// Such as `job:42`.
    pub object: String,
    pub detail: String,
}

impl AuditEntry {
    /// What TestArena did by itself, or somebody at its command line.
    pub fn by_nobody(via: Via, action: AuditAction, object: String, detail: &serde_json::Value) -> Self {
        Self { actor: None, via, address: None, action, object, detail: detail.to_string() }
    }

    /// The same, by a user's name and from where it was done.
    #[must_use]
    pub fn by(self, actor: Option<String>, address: Option<IpAddr>) -> Self {
        Self { actor, address: address.map(|address| address.to_string()), ..self }
    }
}

/// A deed as it was noted.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct NotedEntry {
    #[diesel(deserialize_as = AuditKey)]
    pub id: AuditId,
    #[diesel(deserialize_as = Millis)]
    pub at: Timestamp,
    pub actor: Option<String>,
    #[diesel(deserialize_as = ViaText)]
    pub via: Via,
    pub address: Option<String>,
    pub action: String,
    pub object: String,
    pub detail: String,
}

/// Notes a deed. The transaction has begun with the deed itself, a write.
pub fn insert_audit_entry(connection: &mut AnyConnection, entry: AuditEntry, now: Timestamp) -> QueryResult<()> {
    let row = (
        audit_log::at.eq(now.0),
        audit_log::actor.eq(entry.actor),
        audit_log::via.eq(entry.via.as_str()),
        audit_log::address.eq(entry.address),
        audit_log::action.eq(entry.action.as_str()),
        audit_log::object.eq(entry.object),
        audit_log::detail.eq(entry.detail),
    );
    match connection {
        // One writer at a time, so the next number is nobody else's.
        AnyConnection::Sqlite(sqlite) => {
            let last: Option<i64> = audit_log::table.select(max(audit_log::id)).first(sqlite)?;
            let last = match last {
                Some(last) => last,
                None => counters::table.filter(is_audit()).select(counters::value).first(sqlite)?,
            };
            diesel::insert_into(audit_log::table).values((audit_log::id.eq(last + 1), row)).execute(sqlite)
        }
        // A counter's row would be locked until the deed is committed, and every other deed would wait for it.
        // The sequence begins where the counter, which was used before, has ended.
        AnyConnection::Postgresql(postgres) => {
            let next = sql::<BigInt>("nextval('audit_ids_id_seq') + (SELECT value FROM counters WHERE name = 'audit')");
            diesel::insert_into(audit_log::table).values((audit_log::id.eq(next), row)).execute(postgres)
        }
    }
    .map(drop)
}

/// Notes what changes nothing else, such as a sign-in that failed.
pub fn insert_lone_entry(connection: &mut AnyConnection, entry: AuditEntry, now: Timestamp) -> QueryResult<()> {
    if let AnyConnection::Sqlite(sqlite) = connection {
        // The write that the transaction begins with.
        let counter = counters::table.filter(is_audit());
        diesel::update(counter).set(counters::value.eq(counters::value)).execute(sqlite)?;
    }
    insert_audit_entry(connection, entry, now)
}

fn is_audit() -> diesel::dsl::Eq<counters::name, &'static str> {
    counters::name.eq("audit")
}

/// Which entries are looked for; what is none may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub object: Option<String>,
}

/// Entries, newest first; before an id, if one is given. By an index for whatever narrows them: of one object there are few.
pub fn list_entries(
    connection: &mut AnyConnection,
    filter: AuditFilter,
    before: Option<AuditId>,
    limit: i64,
) -> QueryResult<Vec<NotedEntry>> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let mut query = audit_log::table.filter(audit_log::id.lt(before)).into_boxed();
    if let Some(actor) = filter.actor {
        query = query.filter(audit_log::actor.eq(actor));
    }
    if let Some(action) = filter.action {
        query = query.filter(audit_log::action.eq(action));
    }
    if let Some(object) = filter.object {
        query = query.filter(audit_log::object.eq(object));
    }
    query.order(audit_log::id.desc()).limit(limit).load(connection)
}

/// The last of the oldest entries that are all from before `until`: some at a time, so that no sweep takes long.
pub fn find_old_entries(connection: &mut AnyConnection, until: Timestamp) -> QueryResult<Option<AuditId>> {
    let columns = (audit_log::id, audit_log::at);
    let oldest: Vec<(i64, i64)> =
        audit_log::table.select(columns).order(audit_log::id).limit(SWEEP_SIZE).load(connection)?;
    let old = oldest.into_iter().take_while(|(_, at)| *at < until.0).last();
    Ok(old.map(|(id, _)| AuditId(id)))
}

pub fn remove_entries_up_to(connection: &mut AnyConnection, last: AuditId) -> QueryResult<()> {
    diesel::delete(audit_log::table.filter(audit_log::id.le(last.0))).execute(connection).map(drop)
}
