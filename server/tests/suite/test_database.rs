//! A throw-away database for one test: a file of its own, or a database of its own on the PostgreSQL server
//! that `TEST_DATABASE_URL` names.

use diesel::backend::Backend;
use diesel::connection::{InstrumentationEvent, SimpleConnection};
use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, ExpressionMethods, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use server::store::schema::counters;
use server::store::{AnyConnection, DatabaseUrl, QueryResult, Store};
use std::path::Path;
use std::sync::{Arc, Mutex};

pub struct TestDatabase {
    pub url: DatabaseUrl,
    /// The server's own database and the name of ours, to be dropped in the end.
    postgres: Option<(String, String)>,
}

impl TestDatabase {
    /// `folder` is where a file may be made.
    pub fn create(folder: &Path) -> Self {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            return Self { url: DatabaseUrl::Sqlite(folder.join("test.db")), postgres: None };
        };
        let name = format!("testarena_{}", uuid::Uuid::new_v4().simple());
        run(&server, &format!("CREATE DATABASE {name}"));
        let (address, _) = server.rsplit_once('/').unwrap();
        Self { url: DatabaseUrl::Postgres(format!("{address}/{name}")), postgres: Some((server, name)) }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.postgres {
            // Connections of the test's own pool may still be open. Where they don't end soon, it goes with the server.
            let _stays = try_to_run(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

fn run(server: &str, statement: &str) {
    try_to_run(server, statement).unwrap();
}

fn try_to_run(server: &str, statement: &str) -> QueryResult<usize> {
    let mut connection = PgConnection::establish(server).unwrap();
    sql_query(statement).execute(&mut connection)
}

pub const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");

#[derive(Clone, Copy)]
pub enum Way {
    Up,
    Down,
}

/// Applies the next migration or takes back the last; how many are applied then.
pub fn step(url: &DatabaseUrl, way: Way) -> usize {
    match url {
        DatabaseUrl::Sqlite(path) => go(&mut sqlite(path), way),
        DatabaseUrl::Postgres(url) => go(&mut PgConnection::establish(url).unwrap(), way),
    }
}

/// A store that was let go of may still be closing its own.
fn sqlite(path: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    connection.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
    connection
}

fn go<D: Backend>(connection: &mut impl MigrationHarness<D>, way: Way) -> usize {
    let all = FileBasedMigrations::from_path(MIGRATIONS).unwrap();
    match way {
        Way::Up => drop(connection.run_next_migration(all).unwrap()),
        Way::Down => drop(connection.revert_last_migration(all).unwrap()),
    }
    connection.applied_migrations().unwrap().len()
}

/// Runs statements as they stand, on a connection of its own.
pub fn execute_all(url: &DatabaseUrl, statements: &str) {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite(path).batch_execute(statements).unwrap(),
        DatabaseUrl::Postgres(url) => PgConnection::establish(url).unwrap().batch_execute(statements).unwrap(),
    }
}

/// Runs a statement at a PostgreSQL server, on a connection of its own.
pub fn execute_at(url: &str, statement: &str) {
    run(url, statement);
}

/// Runs a statement as it stands.
pub fn execute(connection: &mut AnyConnection, statement: &str) -> QueryResult<()> {
    sql_query(statement).execute(connection).map(drop)
}

/// How many rows a table has.
pub fn count(connection: &mut AnyConnection, table: &str) -> QueryResult<i64> {
    let all = sql::<BigInt>(&format!("(SELECT count(*) FROM {table})"));
    match connection {
        AnyConnection::Sqlite(sqlite) => diesel::select(all).get_result(sqlite),
        AnyConnection::Postgresql(postgres) => diesel::select(all).get_result(postgres),
    }
}

/// Inserts a row under a name that no other may have.
pub fn insert_counter(connection: &mut AnyConnection, name: &str) -> QueryResult<()> {
    let row = (counters::name.eq(name), counters::value.eq(0));
    diesel::insert_into(counters::table).values(row).execute(connection).map(drop)
}

/// Keeps everybody from writing to an SQLite file, as backup tools do, until it is dropped.
pub fn lock_out_writers(url: &DatabaseUrl) -> SqliteConnection {
    let DatabaseUrl::Sqlite(path) = url else { panic!("no file") };
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    connection.batch_execute("BEGIN EXCLUSIVE").unwrap();
    connection
}

/// Keeps everybody from a table of a PostgreSQL database, as maintenance does, until it is unlocked.
pub fn lock_table(url: &str, table: &str) -> PgConnection {
    let mut connection = PgConnection::establish(url).unwrap();
    connection.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).unwrap();
    connection
}

/// Returns when everybody may have the table again. Of a connection that only ends nobody knows when that is.
pub fn unlock(mut locked: PgConnection) {
    locked.batch_execute("ROLLBACK").unwrap();
}

/// Lets an SQLite file take up no more room than it has, or as much as it wants.
pub async fn allow_growth(store: &Store, allowed: bool) {
    let pages = if allowed { 1_000_000 } else { 1 };
    let set = move |connection: &mut AnyConnection| match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.batch_execute(&format!("PRAGMA max_page_count = {pages}")),
        AnyConnection::Postgresql(_) => panic!("no file"),
    };
    // There is one connection that writes.
    store.write(set).await.unwrap();
}

/// Makes one of the connections to PostgreSQL that write a read-only one, as those to a former primary are.
pub async fn make_session_read_only(store: &Store) {
    let set = |connection: &mut AnyConnection| match connection {
        AnyConnection::Sqlite(_) => panic!("for PostgreSQL"),
        AnyConnection::Postgresql(postgres) => postgres.batch_execute("SET default_transaction_read_only = on"),
    };
    store.write(set).await.unwrap();
}

/// Ends all connections to a PostgreSQL database, as a restart of its server does.
pub fn end_connections(url: &DatabaseUrl) {
    let DatabaseUrl::Postgres(url) = url else { panic!("for PostgreSQL") };
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    run(url, others);
}

pub fn make_database_read_only(url: &DatabaseUrl, read_only: bool) {
    let DatabaseUrl::Postgres(url) = url else { return };
    let name = url.rsplit_once('/').unwrap().1;
    let server = std::env::var("TEST_DATABASE_URL").unwrap();
    run(&server, &format!("ALTER DATABASE {name} SET default_transaction_read_only = {read_only}"));
}

/// Ended jobs of 30 users on 100 branches in two environments, with what the planners know of them.
pub fn seed_jobs(connection: &mut AnyConnection, count: u32) -> QueryResult<()> {
    let statements = format!(
        "INSERT INTO users (id, username, login, password_hash, is_admin, must_change_password, created_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
         SELECT i, 'user' || i, 'user' || i, 'x', FALSE, FALSE, 0 FROM n;
         INSERT INTO jobs (id, revision, instance, user_id, environment, branch_name, commit_hash, remote_queue_id,
             timeout_ms, created_at, status, count_waiting, count_running, count_passed, count_failed, count_error,
             count_aborted, count_skipped, sync_state, logs_state, cleanup_state, attempts)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         SELECT i, 1, 'x', 1 + i % 30, CASE WHEN i % 2 = 0 THEN 'bench-a' ELSE 'bench-b' END, 'feature/' || (i % 100),
             'x', 'x', 1, 0, CASE WHEN i % 5 = 0 THEN 'failed' ELSE 'passed' END, 0, 0, 1, 0, 0, 0, 0, 'synced', 'complete',
             'done', 0
         FROM n;
         ANALYZE;"
    );
    connection.batch_execute(&statements)
}

#[derive(QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct PostgresStep {
    #[diesel(sql_type = Text)]
    #[diesel(column_name = "QUERY PLAN")]
    line: String,
}

/// What the database says of how it runs the queries that a function makes, line by line.
pub fn plans_of(
    connection: &mut AnyConnection,
    ask: impl FnOnce(&mut AnyConnection) -> QueryResult<()>,
) -> QueryResult<Vec<String>> {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let recorder = Arc::clone(&asked);
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            recorder.lock().unwrap().push(query.to_string());
        }
    });
    ask(connection)?;
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    if let AnyConnection::Postgresql(postgres) = connection {
        // The few rows of a test are quickly sorted; the question is whether there is an index that spares it.
        sql_query("SET enable_sort = off").execute(postgres)?;
    }
    let mut lines = Vec::new();
    for query in asked {
        let (sql, binds) = query.split_once(" -- binds: [").unwrap_or((&query, "]"));
        match connection {
            AnyConnection::Sqlite(sqlite) => {
                let steps: Vec<SqliteStep> = sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(sqlite)?;
                lines.extend(steps.into_iter().map(|step| step.detail));
            }
            AnyConnection::Postgresql(postgres) => {
                let values: Vec<_> = binds.trim_end_matches(']').split(", ").collect();
                // From the last one on, so that $1 does not stand for the beginning of $10.
                let sql = values.iter().enumerate().rev().fold(sql.to_owned(), |sql, (n, value)| {
                    // A list of one.
                    let value = value.replace('[', "'{").replace(']', "}'");
                    sql.replace(&format!("${}", n + 1), &value.replace('"', "'").replace(r"\\", r"\"))
                });
                let steps: Vec<PostgresStep> = sql_query(format!("EXPLAIN {sql}")).load(postgres)?;
                lines.extend(steps.into_iter().map(|step| step.line));
            }
        }
    }
    Ok(lines)
}
