//! Marks queues as changed: each change gets the next number of one sequence, which the changes feed is read by.

use super::StoreResult;
use super::schema::{feed, queues};
use diesel::prelude::*;
use protocol::QueueStatus;

/// A place in the waiting line matters to people near its head. Further back, each start would make
/// every waiting queue a changed one.
const REPORTED_PLACES: i64 = 20;

/// Gives a queue the next place in the feed.
pub(super) fn mark_changed(connection: &mut SqliteConnection, number: i64) -> StoreResult<()> {
    let seq: i64 =
        diesel::update(feed::table).set(feed::seq.eq(feed::seq + 1)).returning(feed::seq).get_result(connection)?;
    diesel::update(queues::table.find(number)).set(queues::changed.eq(seq)).execute(connection)?;
    Ok(())
}

/// A queue has left the waiting line: those behind it moved up.
pub(super) fn mark_line_changed(connection: &mut SqliteConnection, left: i64) -> StoreResult<()> {
    let waiting = queues::table.filter(queues::status.eq(QueueStatus::Waiting.as_str()));
    let head: Vec<i64> =
        waiting.order(queues::number).limit(REPORTED_PLACES).select(queues::number).load(connection)?;
    for number in head.into_iter().filter(|number| *number > left) {
        mark_changed(connection, number)?;
    }
    Ok(())
}
