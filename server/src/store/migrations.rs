//! Brings the schema up to date, and refuses a database on which this program would do harm.

use super::postgres::refuse_other_encodings;
use super::{AnyConnection, QueryResult};
use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::error::Error;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations");
/// Key of the advisory lock under which replicas take turns to migrate; any constant of our own will do.
const MIGRATION_LOCK: i64 = 0x7465_7374_6172_6e61;

/// Brings the schema up to date; several replicas may start at once.
pub fn migrate(connection: &mut AnyConnection) -> Result<(), Box<dyn Error + Send + Sync>> {
    match connection {
        // The lock comes before the look at what is pending; another process may be doing the same.
        AnyConnection::Sqlite(sqlite) => sqlite.immediate_transaction(|sqlite| {
            refuse_newer(sqlite)?;
            sqlite.run_pending_migrations(MIGRATIONS).map(drop)
        }),
        // In one transaction, so that the lock needs no session of its own, which a pooler would not give.
        AnyConnection::Postgresql(postgres) => postgres.transaction(|postgres| {
            // However long another replica takes for it.
            postgres.batch_execute("SET LOCAL lock_timeout = 0")?;
            postgres.batch_execute(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))?;
            refuse_other_encodings(postgres)?;
            refuse_newer(postgres)?;
            postgres.run_pending_migrations(MIGRATIONS).map(drop)
        }),
    }
}

/// An older server would write rows without what the newer schema's server needs of them.
fn refuse_newer<D: Backend>(connection: &mut impl MigrationHarness<D>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let ours: Vec<_> = MigrationSource::<D>::migrations(&MIGRATIONS)?;
    let is_ours = |version: &MigrationVersion<'_>| ours.iter().any(|ours| ours.name().version() == *version);
    match connection.applied_migrations()?.into_iter().find(|version| !is_ours(version)) {
        Some(version) => Err(newer_words(&version.to_string()).into()),
        None => Ok(()),
    }
}

fn newer_words(version: &str) -> String {
    format!(
        "a newer TestArena has brought it to {version}; start that one, or put back a backup from before the update"
    )
}

diesel::table! {
    #[sql_name = "__diesel_schema_migrations"]
    applied_migrations (version) {
        version -> Text,
    }
}

/// Why a database that was filled before can't be served from, if a newer program has been at it. Changes nothing.
pub fn find_newer(connection: &mut AnyConnection) -> QueryResult<Option<String>> {
    use applied_migrations::version;
    let ours: Vec<_> = MigrationSource::<Sqlite>::migrations(&MIGRATIONS).unwrap_or_default();
    let ours: Vec<String> = ours.iter().map(|ours| ours.name().version().to_string()).collect();
    let applied: Vec<String> = applied_migrations::table.select(version).order(version.desc()).load(connection)?;
    Ok(applied.into_iter().find(|applied| !ours.contains(applied)).map(|newer| newer_words(&newer)))
}
