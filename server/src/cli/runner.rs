//! `testarena runner`: the reference remote test server.

use super::CommandResult;
use super::signals::shutdown_on_signal;
use crate::config::Variables;
use std::path::Path;

pub(super) async fn run(file: &Path) -> CommandResult {
    let config = runner::Config::load(file)?;
    Variables::read()?.refuse_typos(config.token_env.as_slice())?;
    let shutdown = shutdown_on_signal()?;
    Ok(runner::run(config, shutdown.cancelled()).await?)
}
