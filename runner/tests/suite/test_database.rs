//! What no call can bring about in a runner's database, such as that it takes nothing in.
//! The one file here that knows of diesel.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use std::path::Path;

/// Runs statements in the database of the runner with this data folder, which must not run.
pub fn execute(data_dir: &Path, statements: &str) {
    let path = data_dir.join("runner.db");
    SqliteConnection::establish(path.to_str().unwrap()).unwrap().batch_execute(statements).unwrap();
}
