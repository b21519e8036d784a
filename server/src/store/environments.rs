//! Rows of `environment_status`: what each remote test server last said of itself and when it was last heard.
//! Also `abandoned_queues`, what is still to be done there for jobs that were ended or removed by force.

use super::schema::{abandoned_queues, environment_status, installation};
use super::values::{HealthText, Millis, OptionalMillis};
use super::{AnyConnection, QueryResult, next_id};
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

/// Replaces the row, or makes it.
pub fn save_environment_status(connection: &mut AnyConnection, status: EnvironmentStatus) -> QueryResult<()> {
    let row = environment_status::table.find(status.environment.clone());
    if diesel::update(row).set(status.clone()).execute(connection)? == 0 {
        diesel::insert_into(environment_status::table).values(status).execute(connection)?;
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = abandoned_queues)]
pub struct AbandonedQueue {
    pub id: i64,
    pub environment: String,
    pub instance: String,
    pub remote_queue_id: String,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub created_at: Timestamp,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub next_at: Timestamp,
    pub attempts: i64,
    pub error: Option<String>,
}

pub fn insert_abandoned_queue(
    connection: &mut AnyConnection,
    environment: &str,
    instance: &str,
    remote_queue_id: &str,
    now: Timestamp,
) -> QueryResult<()> {
    let queue = AbandonedQueue {
        id: next_id(connection, "abandoned_queue")?,
        environment: environment.to_owned(),
        instance: instance.to_owned(),
        remote_queue_id: remote_queue_id.to_owned(),
        created_at: now,
        next_at: now,
        attempts: 0,
        error: None,
    };
    diesel::insert_into(abandoned_queues::table).values(queue).execute(connection).map(drop)
}

pub fn list_due_abandoned_queues(
    connection: &mut AnyConnection,
    environment: &str,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<AbandonedQueue>> {
    abandoned_queues::table
        .filter(abandoned_queues::environment.eq(environment))
        .filter(abandoned_queues::next_at.le(now.0))
        .order((abandoned_queues::next_at, abandoned_queues::id))
        .limit(limit)
        .load(connection)
}

pub fn postpone_abandoned_queue(
    connection: &mut AnyConnection,
    id: i64,
    attempts: i64,
    next_at: Timestamp,
    error: &str,
) -> QueryResult<()> {
    diesel::update(abandoned_queues::table.find(id))
        .set((
            abandoned_queues::attempts.eq(attempts),
            abandoned_queues::next_at.eq(next_at.0),
            abandoned_queues::error.eq(error),
        ))
        .execute(connection)
        .map(drop)
}

pub fn remove_abandoned_queue(connection: &mut AnyConnection, id: i64) -> QueryResult<()> {
    diesel::delete(abandoned_queues::table.find(id)).execute(connection).map(drop)
}

/// The instance id of this installation, if it has ever been started.
pub fn find_instance_id(connection: &mut AnyConnection) -> QueryResult<Option<String>> {
    installation::table.find("instance").select(installation::value).first(connection).optional()
}

/// The instance id of this installation; `fresh` becomes it at the very first start.
pub fn instance_id(connection: &mut AnyConnection, fresh: &str) -> QueryResult<String> {
    let row = (installation::name.eq("instance"), installation::value.eq(fresh));
    // Of several replicas that start at once, one inserts; its id is everybody's.
    diesel::sql_query("UPDATE installation SET value = value WHERE name = 'instance'").execute(connection)?;
    if let Some(known) = find_instance_id(connection)? {
        return Ok(known);
    }
    diesel::insert_into(installation::table).values(row).execute(connection)?;
    Ok(fresh.to_owned())
}
