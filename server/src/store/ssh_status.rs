//! Rows of `ssh_status`: how the last commands over SSH fared at each environment, whoever of the replicas ran them.
//! Each process writes what it has tried itself, and leaves the rest as it stands.

use super::schema::ssh_status;
use super::values::Millis;
use super::{AnyConnection, QueryResult};
use diesel::prelude::*;
use protocol::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = ssh_status)]
pub struct SshStatusRow {
    pub environment: String,
    #[diesel(deserialize_as = Millis, serialize_as = Millis)]
    pub at: Timestamp,
    pub connection_error: Option<String>,
    pub question_error: Option<String>,
    pub cleanup_error: Option<String>,
    pub host_key: Option<String>,
}

/// `None`: not tried, and to be left as it stands.
#[derive(Clone, Debug, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = ssh_status)]
pub struct SshStatusChange {
    #[diesel(serialize_as = Millis)]
    pub at: Timestamp,
    pub connection_error: Option<Option<String>>,
    pub question_error: Option<Option<String>>,
    pub cleanup_error: Option<Option<String>>,
    pub host_key: Option<String>,
}

pub fn list_ssh_status(connection: &mut AnyConnection) -> QueryResult<Vec<SshStatusRow>> {
    ssh_status::table.order(ssh_status::environment).load(connection)
}

/// Changes the row, or makes it.
pub fn save_ssh_status(connection: &mut AnyConnection, environment: &str, change: SshStatusChange) -> QueryResult<()> {
    let row = ssh_status::table.find(environment);
    if diesel::update(row).set(change.clone()).execute(connection)? > 0 {
        return Ok(());
    }
    let row = SshStatusRow {
        environment: environment.to_owned(),
        at: change.at,
        connection_error: change.connection_error.flatten(),
        question_error: change.question_error.flatten(),
        cleanup_error: change.cleanup_error.flatten(),
        host_key: change.host_key,
    };
    diesel::insert_into(ssh_status::table).values(row).execute(connection).map(drop)
}
