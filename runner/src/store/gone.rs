//! The memory of ids that were deleted, or aborted while unknown, each for the instance that did so.
//! A request that was overtaken by its own abort or delete finds its id here and starts nothing.

use super::schema::gone_ids;
use super::{Store, StoreResult};
use diesel::dsl::exists;
use diesel::prelude::*;
use protocol::Timestamp;
use std::time::Duration;

/// The contract asks for 24 h at least; a client that was away over a weekend is covered too.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

impl Store {
    /// Forgets the ids that were remembered long enough.
    pub async fn prune_gone(&self) -> StoreResult<usize> {
        let oldest = Timestamp(self.clock.reading()).minus(KEPT_FOR).0;
        self.write(move |connection| {
            let old = gone_ids::table.filter(gone_ids::gone_at.lt(oldest));
            Ok(diesel::delete(old).execute(connection)?)
        })
        .await
    }
}

pub(super) fn is_gone(connection: &mut SqliteConnection, id: &str, instance: &str) -> StoreResult<bool> {
    let found = gone_ids::table.find((id, instance));
    Ok(diesel::select(exists(found)).get_result(connection)?)
}

pub(super) fn remember_gone(
    connection: &mut SqliteConnection,
    id: &str,
    instance: &str,
    now_on_clock: i64,
) -> StoreResult<()> {
    let row = (gone_ids::queue_id.eq(id), gone_ids::instance.eq(instance), gone_ids::gone_at.eq(now_on_clock));
    diesel::replace_into(gone_ids::table).values(row).execute(connection)?;
    Ok(())
}
