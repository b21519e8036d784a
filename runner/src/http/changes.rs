//! The changes feed: one call that waits until something of this instance has changed.
//! The store's sequence makes it complete; the wake-up only makes it prompt.

use super::error::Refused;
use super::extract::{InQuery, Instance};
use crate::state::State;
use crate::store::{Cursor, FeedPage};
use axum::Json;
use axum::extract::State as Shared;
use protocol::remote::{Changes, MAX_CHANGES_WAIT_S, StatusBody};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
pub struct Wanted {
    since: Option<String>,
    /// Seconds.
    wait: Option<String>,
}

pub async fn list_changes(
    Shared(state): Shared<State>,
    Instance(instance): Instance,
    InQuery(wanted): InQuery<Wanted>,
) -> Result<Json<Changes>, Refused> {
    let wait = match wanted.wait.as_deref().map(str::parse::<u64>) {
        None => 0,
        Some(Ok(seconds)) => seconds.min(MAX_CHANGES_WAIT_S),
        Some(Err(_)) => return Err(Refused::invalid("bad_wait", "wait: 0 to 30 (seconds)")),
    };
    let since: Option<Cursor> = wanted.since.and_then(|text| text.parse().ok());
    let time_is_up = tokio::time::sleep(Duration::from_secs(wait));
    tokio::pin!(time_is_up);
    let mut commits = state.store.subscribe();
    loop {
        commits.mark_unchanged();
        let page = state.store.changes(instance.clone(), since.clone()).await?;
        if page.reset || !page.queues.is_empty() {
            return Ok(Json(page.into()));
        }
        tokio::select! {
            biased;
            () = &mut time_is_up => return Ok(Json(page.into())),
            () = state.stop.cancelled() => return Ok(Json(page.into())),
            _store_outlives_us = commits.changed() => {}
        }
    }
}

impl From<FeedPage> for Changes {
    fn from(page: FeedPage) -> Self {
        let queues = page.queues.into_iter().map(StatusBody::from).collect();
        Self { cursor: page.cursor.to_string(), reset: page.reset, queues }
    }
}
