//! `testarena demo`: all of it on one machine in one process, to try and to test with: an embedded database, a runner
//! with its own SSH server, a git repository full of scenarios, and two users.

mod folder;
mod repository;

use super::CommandResult;
use super::signals::shutdown_on_signal;
use super::user::add_user;
use crate::config::{Config, ConfigError, Variables};
use crate::run::serve;
use crate::state::AppState;
use crate::store::Store;
use crate::store::users::find_user_by_login;
use clap::Args;
use folder::{Folder, Passwords};
use runner::{Runner, Running};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;
use uuid::Uuid;

/// So many scenarios run at once: enough to see several at work, few enough to see others wait.
const SLOTS: usize = 4;
/// No scenario of the demo takes longer than ten minutes.
const TASK_TIMEOUT: Duration = Duration::from_mins(15);
const MAX_LOG_BYTES: u64 = 1 << 30;
/// By this name the configuration finds the runner's token; it is no variable of the process.
const TOKEN_VARIABLE: &str = "DEMO_RUNNER_TOKEN";
/// Keys that make it the demo: all on one machine, in its own folder.
const OWN_KEYS: [&str; 4] = ["listen", "database_url", "data_dir", "environments"];
/// On the loopback at a port that is free.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[derive(Args)]
pub(super) struct DemoOptions {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The demo's own folder
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// Delete what an earlier demo left in the folder
    #[arg(long)]
    reset: bool,
}

pub(super) async fn run(options: DemoOptions) -> CommandResult {
    let variables = Variables::read()?;
    variables.refuse_keys(&OWN_KEYS, "the demo sets it itself; see --listen and --data, and unset it")?;
    variables.refuse_typos(&[])?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        format!("can't listen at {}: {error}; choose another address with --listen", options.listen)
    })?;
    let (folder, passwords) = Folder::open(&options.data, options.reset)?;
    repository::create(&folder.origin(), &folder.repository()).await?;
    let token = Uuid::new_v4().to_string();
    let runner = start_runner(&folder, &token).await?;
    let config = server_config(&folder, listener.local_addr()?, &runner, &variables.with(TOKEN_VARIABLE, &token))?;
    let url = config.public_url.clone();
    let state = AppState::new(config, shutdown_on_signal()?).await?;
    add_users(&state.store, &passwords).await?;
    greet(&url, &folder, &passwords)?;
    serve_until_the_end(state, listener, runner).await
}

async fn start_runner(folder: &Folder, token: &str) -> Result<Running, Box<dyn std::error::Error + Send + Sync>> {
    let public_key = runner::client_key(&folder.client_key())?;
    std::fs::write(folder.authorized_keys(), public_key + "\n")?;
    let config = runner::Config {
        listen: ANY_PORT,
        name: "demo".to_owned(),
        token: Some(runner::Token::new(token)),
        token_env: None,
        data_dir: folder.runner_data(),
        repository: folder.repository(),
        scenario_dir: "scenarios".to_owned(),
        workspace_root: folder.workspaces(),
        slots: vec![BTreeMap::new(); SLOTS],
        task_timeout: TASK_TIMEOUT,
        max_log_bytes: MAX_LOG_BYTES,
        queue_overtime: runner::MAX_QUEUE_OVERTIME,
        submodules: true,
        ssh: Some(runner::SshConfig {
            listen: ANY_PORT,
            host_key: folder.host_key(),
            authorized_keys: folder.authorized_keys(),
        }),
    };
    Ok(Runner::start(config).await?)
}

/// Goes the way of every configuration file, so that the demo has the same defaults.
fn server_config(
    folder: &Folder,
    listen: SocketAddr,
    runner: &Running,
    variables: &Variables,
) -> Result<Config, ConfigError> {
    let ssh_address = runner.ssh_addr.unwrap_or(ANY_PORT);
    let text = format!(
        r#"
        listen = "{listen}"
        database_url = "sqlite://testarena.db"
        data_dir = "data"
        [[environments]]
        name = "demo"
        url = "http://{http}"
        token_env = "{TOKEN_VARIABLE}"
        [environments.ssh]
        host = "{host}"
        port = {port}
        user = "demo"
        identity_file = "keys/client"
        host_key = "{host_key}"
        repository = {repository}
        workspace_root = {workspaces}
        "#,
        http = runner.http_addr,
        host = ssh_address.ip(),
        port = ssh_address.port(),
        host_key = runner.ssh_host_key_fingerprint.as_deref().unwrap_or_default(),
        repository = quoted(&folder.repository()),
        workspaces = quoted(&folder.workspaces()),
    );
    Config::parse(&text, folder.root(), variables)
}

/// As a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::from(path.to_string_lossy().into_owned()).to_string()
}

/// Those that are not there yet.
async fn add_users(store: &Store, passwords: &Passwords) -> CommandResult {
    for (name, is_admin, password) in [("admin", true, &passwords.admin), ("demo", false, &passwords.demo)] {
        if store.read(move |connection| find_user_by_login(connection, name)).await?.is_none() {
            add_user(store, name, is_admin, password.clone()).await?;
        }
    }
    Ok(())
}

/// Scripts read these lines, too.
fn greet(url: &str, folder: &Folder, passwords: &Passwords) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "TestArena demo is running at {url}")?;
    writeln!(out, "  user admin, password {}", passwords.admin)?;
    writeln!(out, "  user demo, password {}", passwords.demo)?;
    writeln!(out, "  scenarios: commit to the git repository {}", folder.origin().display())?;
    writeln!(out, "Ctrl-C ends it.")
}

/// Server and runner end together, whichever of them begins.
async fn serve_until_the_end(state: AppState, listener: TcpListener, mut runner: Running) -> CommandResult {
    let shutdown = state.shutdown.clone();
    let serving = serve(state, listener);
    tokio::pin!(serving);
    let early = tokio::select! {
        served = &mut serving => Some(served.map_err(Into::into)),
        broken = runner.failed() => Some(Err(broken.into())),
        () = shutdown.cancelled() => None,
    };
    shutdown.cancel();
    if let Some(result) = early {
        runner.shutdown().await;
        return result;
    }
    let (served, ()) = tokio::join!(serving, runner.shutdown());
    Ok(served?)
}
