//! What is cleared away by the clock: sessions that are over, and entries of the audit log past their time; and what is
//! moved where the clock is set. Every replica does it; clearing twice is harmless.

use crate::auth::Auth;
use crate::clock::Clock;
use crate::config::Config;
use crate::state::AppState;
use crate::store::audit::{AuditFilter, find_old_entries, list_entries, remove_entries_up_to};
use crate::store::sessions::sweep_sessions;
use crate::store::{Store, StoreError, idempotency};
use protocol::Timestamp;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is over is refused anyway; this is only about room.
const INTERVAL: Duration = Duration::from_mins(10);
/// What is cleared away does not come back, so it waits until the clock has gone evenly for so long: a machine that starts
/// with a wrong one, or gets a wrong one, has been given the right one by then.
const TRUSTED_AFTER: Duration = Duration::from_hours(1);
/// Where something was noted so short a while ago, the clock stands where it stood before the start.
const NOTED_LATELY: Duration = Duration::from_hours(24);
/// Between two looks at whether the clock was set.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Clears away now and again, by a clock that can be trusted, until `shutdown`.
pub async fn run(state: AppState, shutdown: CancellationToken) {
    let is_trusted = stands_where_it_stood(&state.store, Timestamp::now()).await;
    let mut next_pass = Instant::now() + if is_trusted { Duration::ZERO } else { TRUSTED_AFTER };
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        match follow_clock(&state.store, &state.clock).await {
            Ok(false) => {}
            Ok(true) => next_pass = Instant::now() + TRUSTED_AFTER,
            Err(error) => {
                tracing::warn!(%error, "idempotency keys from before this machine's clock was set could not be moved; it is tried again");
                continue;
            }
        }
        if Instant::now() < next_pass {
            continue;
        }
        next_pass = Instant::now() + INTERVAL;
        if let Err(error) = clear_away(&state.store, &state.auth, &state.config, Timestamp::now()).await {
            tracing::warn!(%error, "old sessions and audit entries could not be cleared away; it is tried again");
        }
    }
}

async fn stands_where_it_stood(store: &Store, now: Timestamp) -> bool {
    let newest = store.read(|connection| list_entries(connection, AuditFilter::default(), None, 1)).await;
    let is_lately = |at: Timestamp| at <= now && now.since(at) < NOTED_LATELY;
    newest.is_ok_and(|newest| newest.first().is_some_and(|entry| is_lately(entry.at)))
}

/// Moves what is remembered by the machine's clock where that was set; whether it was.
pub async fn follow_clock(store: &Store, clock: &Clock) -> Result<bool, StoreError> {
    let Some(step) = clock.set_by() else { return Ok(false) };
    let (before, followed) = (clock.now(), clock.clone());
    let shift = move |connection: &mut _| idempotency::shift_times(connection, before, step);
    store.write_then(shift, move |()| followed.move_by(step)).await?;
    Ok(true)
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
