//! What the database knows of itself: the instance id of this installation, and how far its ids have gone.

use super::schema::{counters, installation};
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::JobId;
use std::ops::RangeInclusive;

const INSTANCE: &str = "instance";
/// Ids that this database has skipped, as `first-last`.
const SKIPPED: &str = "skipped_jobs";
/// How far ids skip ahead: more than a busy server gives out between two marks.
const SKIP: i64 = 100_000;

/// The instance id of this installation, if it has ever been started.
pub fn find_instance_id(connection: &mut AnyConnection) -> QueryResult<Option<String>> {
    find(connection, INSTANCE)
}

/// The instance id of this installation; `fresh` becomes it at the very first start.
pub fn instance_id(connection: &mut AnyConnection, fresh: &str) -> QueryResult<String> {
    // Of several replicas that start at once, one inserts; its id is everybody's.
    diesel::sql_query("UPDATE installation SET value = value WHERE name = 'instance'").execute(connection)?;
    if let Some(known) = find_instance_id(connection)? {
        return Ok(known);
    }
    let row = (installation::name.eq(INSTANCE), installation::value.eq(fresh));
    diesel::insert_into(installation::table).values(row).execute(connection)?;
    Ok(fresh.to_owned())
}

/// The last id that was given to a job.
pub fn last_job(connection: &mut AnyConnection) -> QueryResult<JobId> {
    let row = counters::table.filter(counters::name.eq("job"));
    row.select(counters::value).first(connection).map(JobId)
}

/// Jobs up to `known` were given out. Where this database knows of fewer, its ids skip far ahead.
pub fn skip_ahead(connection: &mut AnyConnection, known: JobId) -> QueryResult<()> {
    let last = last_job_for_update(connection)?;
    if last < known { skip(connection, JobId(last.0 + 1), known) } else { Ok(()) }
}

/// Lets ids skip far beyond `known`, since this database knows nothing of the jobs from `first` to there: it was put back
/// from a backup. Jobs get a new instance id from the next start on.
pub(super) fn skip(connection: &mut AnyConnection, first: JobId, known: JobId) -> QueryResult<()> {
    let last = known.0.saturating_add(SKIP);
    let jobs = counters::table.filter(counters::name.eq("job"));
    diesel::update(jobs).set(counters::value.eq(last)).execute(connection)?;
    let others = counters::table.filter(counters::name.ne("job"));
    diesel::update(others).set(counters::value.eq(counters::value + SKIP)).execute(connection)?;
    let first = skipped_jobs(connection)?.map_or(first.0, |known| *known.start());
    put(connection, SKIPPED, &format!("{first}-{last}"))?;
    put(connection, INSTANCE, &uuid::Uuid::new_v4().to_string())?;
    tracing::warn!(
        job = known.0,
        "the database knows of fewer jobs than were given out, of which {known} is the last: it was put back from a backup, \
         a standby took over that lacked the last jobs, or it is another one. Job ids go on far beyond that, and the jobs \
         that it lacks are not known any more"
    );
    Ok(())
}

/// Ids of jobs of which this database knows nothing, though it counts them as given out.
pub fn skipped_jobs(connection: &mut AnyConnection) -> QueryResult<Option<RangeInclusive<i64>>> {
    let range = find(connection, SKIPPED)?;
    Ok(range.and_then(|text| {
        let (first, last) = text.split_once('-')?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    }))
}

/// Replicas that start at once take turns here.
fn last_job_for_update(connection: &mut AnyConnection) -> QueryResult<JobId> {
    diesel::sql_query("UPDATE counters SET value = value WHERE name = 'job'").execute(connection)?;
    last_job(connection)
}

fn find(connection: &mut AnyConnection, name: &str) -> QueryResult<Option<String>> {
    installation::table.find(name).select(installation::value).first(connection).optional()
}

fn put(connection: &mut AnyConnection, name: &str, value: &str) -> QueryResult<()> {
    if diesel::update(installation::table.find(name)).set(installation::value.eq(value)).execute(connection)? == 0 {
        let row = (installation::name.eq(name), installation::value.eq(value));
        diesel::insert_into(installation::table).values(row).execute(connection)?;
    }
    Ok(())
}
