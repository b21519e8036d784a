//! The pass over what needs the remote server's shell: workspaces of ended jobs, and what was ended or removed by force.
//! Apart from `tick`, so that an SSH server that hangs holds up nothing but itself.

use super::steps::advance_all;
use super::{Poller, abandoned};
use crate::remote::Remote;
use crate::store::StoreError;
use crate::store::jobs::{self, Lane};
use protocol::Timestamp;
use std::sync::Arc;

/// Most clean-ups in one pass; the rest follows in the next one.
const PER_PASS: i64 = 50;

/// # Errors
/// Only the store's: a remote server's failures are facts that are stored.
pub async fn clean<R: Remote>(poller: &Arc<Poller<R>>, now: Timestamp) -> Result<(), StoreError> {
    let name = poller.name().to_owned();
    let due = poller.store.read(move |c| jobs::list_due(c, &name, Lane::Shell, now, PER_PASS)).await?;
    advance_all(poller, Lane::Shell, due.into_iter().map(|job| job.id), now).await;
    abandoned::advance(poller, now).await
}
