//! What is cleared away by the clock: sessions that are over, and entries of the audit log past their time.
//! Every replica does it; clearing twice is harmless.

use crate::auth::Auth;
use crate::config::Config;
use crate::store::audit::{find_old_entries, remove_entries_up_to};
use crate::store::sessions::sweep_sessions;
use crate::store::{Store, StoreError};
use protocol::Timestamp;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What is over is refused anyway; this is only about room.
const INTERVAL: Duration = Duration::from_mins(10);

/// Clears away at the start and then now and again, until `shutdown`.
pub async fn run(store: Store, auth: Auth, config: impl AsRef<Config>, shutdown: CancellationToken) {
    loop {
        if let Err(error) = clear_away(&store, &auth, config.as_ref(), Timestamp::now()).await {
            tracing::warn!(%error, "old sessions and audit entries could not be cleared away; it is tried again");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// One pass over everything that is over by `now`.
pub async fn clear_away(store: &Store, auth: &Auth, config: &Config, now: Timestamp) -> Result<(), StoreError> {
    let idle_since = auth.idle_since(now);
    store.write(move |connection| sweep_sessions(connection, now, idle_since)).await?;
    let until = now.minus(config.audit_retention);
    while let Some(last) = store.read(move |connection| find_old_entries(connection, until)).await? {
        store.write(move |connection| remove_entries_up_to(connection, last)).await?;
    }
    Ok(())
}
