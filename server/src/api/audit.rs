//! The audit log, for administrators: who did what, newest first. It is only ever read here.

use super::listing::read_limit;
use crate::auth::Admin;
use crate::error::{ApiError, ApiResult, Query};
use crate::state::AppState;
use crate::store::audit::{AuditFilter, NotedEntry, list_entries};
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::AuditId;
use protocol::api::{AuditEntry, AuditLog};
use schemars::JsonSchema;
use serde::Deserialize;

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
    let before = query.cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| read_cursor(&cursor)).transpose()?;
    // One more than asked for tells whether there is another page.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let actor = given(query.actor).map(|actor| actor.to_ascii_lowercase());
    let filter = AuditFilter { actor, action: given(query.action), object: given(query.object) };
    let found = state.store.read(move |connection| list_entries(connection, filter, before, i64::from(limit) + 1));
    let found = found.await?;
    let has_more = found.len() > limit as usize;
    let entries: Vec<_> = found.into_iter().take(limit as usize).map(AuditEntry::from).collect();
    let next_cursor = entries.last().filter(|_| has_more).map(|last| write_cursor(last.id));
    Ok(axum::Json(AuditLog { entries, next_cursor }))
}

/// Opaque to clients, so that paging can change; here the last id of the page before.
fn write_cursor(last: AuditId) -> String {
    URL_SAFE_NO_PAD.encode(format!("noted before {last}"))
}

fn read_cursor(cursor: &str) -> ApiResult<AuditId> {
    let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let id = decoded.and_then(|text| text.strip_prefix("noted before ")?.parse().ok());
    id.ok_or_else(|| ApiError::invalid("cursor", "this is no cursor that a page of the audit log has given"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_to_the_client_and_back() {
        assert_eq!(read_cursor(&write_cursor(AuditId(42))).unwrap(), AuditId(42));
        for bad in ["42", "!", "YmVmb3JlIDQy"] {
            assert!(read_cursor(bad).is_err(), "{bad}");
        }
    }
}
