//! The audit log, for administrators: who did what, newest first. It is only ever read here.

use super::cursor::Cursors;
use super::listing::read_limit;
use crate::auth::Admin;
use crate::error::{ApiResult, Query};
use crate::state::AppState;
use crate::store::audit::{AuditFilter, NotedEntry, list_entries};
use axum::extract::State;
use protocol::api::{AuditEntry, AuditLog};
use schemars::JsonSchema;
use serde::Deserialize;

/// The place is the last id of the page before.
const CURSORS: Cursors = Cursors { mark: "noted before", giver: "a page of the audit log" };

/// An empty value is none, as a form with untouched fields sends it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    #[schemars(with = "Option<u32>", range(min = 1, max = 200))]
    limit: Option<String>,
    cursor: Option<String>,
    /// A user's whole name, as it was.
    actor: Option<String>,
    /// Such as `job.abort`.
    action: Option<String>,
    /// Such as `job:42`.
    object: Option<String>,
}

pub(super) async fn list_audit(
    State(state): State<AppState>,
    _: Admin,
    Query(query): Query<AuditQuery>,
) -> ApiResult<axum::Json<AuditLog>> {
    let limit = read_limit(query.limit.as_deref())?;
    let before = CURSORS.read(query.cursor, |place| place.parse().ok())?;
    // One more than asked for tells whether there is another page.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let actor = given(query.actor).map(|actor| actor.to_ascii_lowercase());
    let filter = AuditFilter { actor, action: given(query.action), object: given(query.object) };
    let found = state.store.read(move |connection| list_entries(connection, filter, before, i64::from(limit) + 1));
    let found = found.await?;
    let has_more = found.len() > limit as usize;
    let entries: Vec<_> = found.into_iter().take(limit as usize).map(AuditEntry::from).collect();
    let next_cursor = entries.last().filter(|_| has_more).map(|last| CURSORS.write(last.id));
    Ok(axum::Json(AuditLog { entries, next_cursor }))
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
