//! `testarena serve`: the web server and the poller, until somebody asks them to end or one of them breaks.

use super::signals::shutdown_on_signal;
use super::{CommandResult, hold};
use crate::config::Config;
use crate::listener::raise_open_files;
use crate::remote::require_files;
use crate::run::{PartEnded, serve};
use crate::state::{AppState, StateError};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Why the server did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("can't lock {file}: {source}")]
    Lock { file: String, source: io::Error },
    #[error(
        "another server is at work there (it holds {0}); end it first, or give this one a database_url and a data_dir of its own"
    )]
    InUse(String),
    #[error("can't listen at {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    PartEnded(#[from] PartEnded),
}

pub(super) async fn from_file(file: &Path) -> CommandResult {
    let config = Config::load(file)?;
    raise_open_files();
    for environment in &config.environments {
        require_files(environment).await?;
    }
    let shutdown = shutdown_on_signal()?;
    Ok(run(config, shutdown).await?)
}

/// Puts everything together and serves until `shutdown`.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), ServeError> {
    let _held = hold::take(&config).await?;
    let address = config.listen;
    // Before the database is brought up to date: a server that can't start changes nothing under another one.
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    let state = AppState::new(config, shutdown).await?;
    Ok(serve(state, listener).await?)
}
