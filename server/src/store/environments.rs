//! Rows of `environment_status`: what each remote test server last said of itself and when it was last heard.

use super::schema::{counters, environment_status};
use super::values::{HealthText, Millis, OptionalMillis};
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::Timestamp;
use protocol::api::Health;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = environment_status, treat_none_as_null = true)]
pub struct EnvironmentStatus {
    #[diesel(skip_update)]
    pub environment: String,
    #[diesel(deserialize_as = HealthText, serialize_as = HealthText)]
    pub health: Health,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub since: Timestamp,
    pub last_error: Option<String>,
    pub slots: Option<i64>,
    pub busy: Option<i64>,
    pub waiting: Option<i64>,
    /// When all of the environment's synced jobs were last known to be as they stand here.
    #[diesel(deserialize_as = OptionalMillis, serialize_as = OptionalMillis)]
    pub round_at: Option<Timestamp>,
}

impl EnvironmentStatus {
    /// Of an environment that nobody has asked yet.
    pub fn unknown(environment: &str, now: Timestamp) -> Self {
        Self {
            environment: environment.to_owned(),
            health: Health::Unknown,
            since: now,
            last_error: None,
            slots: None,
            busy: None,
            waiting: None,
            round_at: None,
        }
    }
}

pub fn find_environment_status(connection: &mut AnyConnection, name: &str) -> QueryResult<Option<EnvironmentStatus>> {
    environment_status::table.find(name).first(connection).optional()
}

pub fn list_environment_status(connection: &mut AnyConnection) -> QueryResult<Vec<EnvironmentStatus>> {
    environment_status::table.order(environment_status::environment).load(connection)
}

/// Stores what is known of an environment's health; the rest of its row stays.
pub fn save_health(connection: &mut AnyConnection, status: EnvironmentStatus) -> QueryResult<()> {
    let row = environment_status::table.find(status.environment.clone());
    let health = (
        environment_status::health.eq(HealthText::from(status.health)),
        environment_status::since.eq(status.since.0),
        environment_status::last_error.eq(status.last_error.clone()),
        environment_status::slots.eq(status.slots),
        environment_status::busy.eq(status.busy),
        environment_status::waiting.eq(status.waiting),
    );
    if diesel::update(row).set(health).execute(connection)? == 0 {
        diesel::insert_into(environment_status::table).values(status).execute(connection)?;
    }
    Ok(())
}

/// All synced jobs of an environment are known to be as they stand here, as of `at`; that never goes back.
pub fn note_round(connection: &mut AnyConnection, name: &str, at: Timestamp) -> QueryResult<()> {
    let older = environment_status::round_at.is_null().or(environment_status::round_at.lt(at.0).assume_not_null());
    diesel::update(environment_status::table.find(name).filter(older))
        .set(environment_status::round_at.eq(at.0))
        .execute(connection)
        .map(drop)
}

/// When all synced jobs of an environment were last known to be as they stand here, which nobody notes anew before the
/// transaction ends. Call it first: it is the write that the transaction starts with.
pub fn hold_round(connection: &mut AnyConnection, name: &str) -> QueryResult<Option<Timestamp>> {
    let row = environment_status::table.find(name);
    diesel::update(row).set(environment_status::round_at.eq(environment_status::round_at)).execute(connection)?;
    let round_at: Option<Option<i64>> = row.select(environment_status::round_at).first(connection).optional()?;
    Ok(round_at.flatten().map(Timestamp))
}

/// Counts how often what was noted of an environment was moved from one clock to another; the new count.
pub fn mark_shift(connection: &mut AnyConnection, name: &str) -> QueryResult<i64> {
    let key = format!("clock:{name}");
    let row = counters::table.filter(counters::name.eq(&key));
    let counted = diesel::update(row).set(counters::value.eq(counters::value + 1)).execute(connection)?;
    if counted == 0 {
        diesel::insert_into(counters::table)
            .values((counters::name.eq(&key), counters::value.eq(1)))
            .execute(connection)?;
        return Ok(1);
    }
    counters::table.filter(counters::name.eq(&key)).select(counters::value).first(connection)
}

/// Our clock was set by `step` milliseconds: what is known grows no older by that, and is of no time to come.
pub fn shift_times(connection: &mut AnyConnection, name: &str, step: i64) -> QueryResult<()> {
    diesel::update(environment_status::table.find(name).filter(environment_status::round_at.is_not_null()))
        .set(environment_status::round_at.eq(environment_status::round_at + step))
        .execute(connection)
        .map(drop)
}
