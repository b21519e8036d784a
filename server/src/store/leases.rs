//! Rows of `leases`: which process polls an environment. The holder counts beats up; a process that has seen no new beat
//! for long enough, by its own clock, takes over under a higher fence. No two machines' clocks are ever compared.

use super::schema::leases;
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = leases)]
pub struct Lease {
    pub environment: String,
    /// Empty: given back.
    pub holder: String,
    pub fence: i64,
    pub beat: i64,
}

pub fn find_lease(connection: &mut AnyConnection, environment: &str) -> QueryResult<Option<Lease>> {
    leases::table.find(environment).first(connection).optional()
}

/// Takes the lease from whoever held it as `seen`; the new fence, or `None` if somebody was faster.
pub fn take_lease(
    connection: &mut AnyConnection,
    environment: &str,
    holder: &str,
    seen: Option<&Lease>,
) -> QueryResult<Option<i64>> {
    let Some(seen) = seen else {
        let first = Lease { environment: environment.to_owned(), holder: holder.to_owned(), fence: 1, beat: 1 };
        diesel::insert_into(leases::table).values(first).execute(connection)?;
        return Ok(Some(1));
    };
    let as_seen =
        leases::table.find(environment).filter(leases::fence.eq(seen.fence)).filter(leases::beat.eq(seen.beat));
    let fence = seen.fence + 1;
    let moved = diesel::update(as_seen)
        .set((leases::holder.eq(holder), leases::fence.eq(fence), leases::beat.eq(seen.beat + 1)))
        .execute(connection)?;
    Ok((moved == 1).then_some(fence))
}

/// Counts the beat up; `false` if the lease is somebody else's by now.
pub fn beat(connection: &mut AnyConnection, environment: &str, fence: i64) -> QueryResult<bool> {
    let held = leases::table.find(environment).filter(leases::fence.eq(fence));
    Ok(diesel::update(held).set(leases::beat.eq(leases::beat + 1)).execute(connection)? == 1)
}

/// Gives the lease back, so that the next process need not wait.
pub fn give_back(connection: &mut AnyConnection, environment: &str, fence: i64) -> QueryResult<()> {
    let held = leases::table.find(environment).filter(leases::fence.eq(fence));
    diesel::update(held).set((leases::holder.eq(""), leases::beat.eq(leases::beat + 1))).execute(connection).map(drop)
}

/// Whether `fence` is still the newest: what is saved under an older one is refused.
pub fn is_newest_fence(connection: &mut AnyConnection, environment: &str, fence: i64) -> QueryResult<bool> {
    let newest: Option<i64> = leases::table.find(environment).select(leases::fence).first(connection).optional()?;
    Ok(newest.is_none_or(|newest| newest <= fence))
}
