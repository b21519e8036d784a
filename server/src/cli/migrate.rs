//! `testarena migrate`: the database only, for those who want it done before the server starts.

use super::CommandResult;
use super::say::say;
use crate::config::Config;
use crate::state::open_store;
use std::path::Path;

pub(super) async fn run(file: &Path) -> CommandResult {
    let config = Config::load(file)?;
    open_store(&config).await?;
    Ok(say("The database is up to date.")?)
}
