//! Rows of `audit_log`: who did what that others may ask about later.
//! An entry is written in the transaction of the deed itself.

use super::schema::audit_log;
use super::{AnyConnection, QueryResult, next_id};
use diesel::prelude::*;
use protocol::Timestamp;

/// One deed. `detail` is a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// A user's name; `None` for what the system or the command line did.
    pub actor: Option<String>,
    /// `page`, `basic`, `token`, `system` or `cli`.
    pub via: &'static str,
    pub address: Option<String>,
    /// Such as `job.abort`.
    pub action: &'static str,
    /// Such as `job:42`.
    pub object: String,
    pub detail: String,
}

pub fn insert_audit_entry(connection: &mut AnyConnection, entry: AuditEntry, now: Timestamp) -> QueryResult<()> {
    let id = next_id(connection, "audit")?;
    let row = (
        audit_log::id.eq(id),
        audit_log::at.eq(now.0),
        audit_log::actor.eq(entry.actor),
        audit_log::via.eq(entry.via),
        audit_log::address.eq(entry.address),
        audit_log::action.eq(entry.action),
        audit_log::object.eq(entry.object),
        audit_log::detail.eq(entry.detail),
    );
    diesel::insert_into(audit_log::table).values(row).execute(connection).map(drop)
}
