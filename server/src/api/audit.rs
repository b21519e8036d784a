//! The audit log, for administrators: who did what, newest first. It is only ever read here.

use super::conditional::Listed;
use super::cursor::Cursors;
use super::listing::read_limit;
use crate::auth::Admin;
use crate::error::{ApiResult, Filter, Query, given};
use crate::state::AppState;
use crate::store::audit::{AuditFilter, NotedEntry, list_entries};
use axum::extract::State;
use protocol::api::{AuditEntry, AuditLog};
use schemars::JsonSchema;
use serde::Deserialize;

/// The place is the last id of the page before.
const CURSORS: Cursors = Cursors { mark: "noted before", giver: "a page of the audit log" };

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Filter,
    /// A user's whole name, as it was.
    #[serde(default)]
    actor: Filter,
    /// Such as `job.abort`.
    #[serde(default)]
    action: Filter,
    /// Such as `job:42`.
    #[serde(default)]
    object: Filter,
}

pub(super) async fn list_audit(
    State(state): State<AppState>,
    _: Admin,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Listed<AuditLog>> {
    let limit = read_limit(query.limit)?;
    let before = CURSORS.read(query.cursor, |place| place.parse().ok())?;
    let actor = query.actor.0.map(|actor| actor.to_ascii_lowercase());
    let filter = AuditFilter { actor, action: query.action.0, object: query.object.0 };
    // One more than asked for tells whether there is another page.
    let found = state.store.read(move |connection| list_entries(connection, filter, before, i64::from(limit) + 1));
    let found = found.await?;
    let has_more = found.len() > limit as usize;
    let entries: Vec<_> = found.into_iter().take(limit as usize).map(AuditEntry::from).collect();
    let next_cursor = entries.last().filter(|_| has_more).map(|last| CURSORS.write(last.id));
    Ok(Listed(AuditLog { entries, next_cursor }))
}

impl From<NotedEntry> for AuditEntry {
    fn from(entry: NotedEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            via: entry.via,
            address: entry.address,
            action: entry.action,
            object: entry.object,
            // Written here, always as an object.
            detail: serde_json::from_str(&entry.detail).unwrap_or_default(),
        }
    }
}
