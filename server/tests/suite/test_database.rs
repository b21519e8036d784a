//! A throw-away database for one test: a file of its own, or a database of its own on the PostgreSQL server
//! that `TEST_DATABASE_URL` names.

use diesel::dsl::sql;
use diesel::sql_types::BigInt;
use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use server::store::{AnyConnection, DatabaseUrl, QueryResult};
use std::path::Path;

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
            // Connections of the test's own pool may still be open.
            run(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

fn run(server: &str, statement: &str) {
    let mut connection = PgConnection::establish(server).unwrap();
    sql_query(statement).execute(&mut connection).unwrap();
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
