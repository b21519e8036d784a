//! One SSH connection to a remote test server: checked host key, signed in, commands in exec channels.
//! The only room that names russh; how long a connection is kept is decided in `shell`.

mod guard;
mod sign_in;

pub use guard::{OfferedKey, host_keys};
pub use sign_in::load_identity;

use super::Failure;
use super::failure::network_words;
use super::host_key::HostKeyTrust;
use super::output::first_words;
use crate::config::SshConfig;
use guard::{Broken, HostKeyGuard, kinds_in_order, without};
use russh::client::{Config, Handle};
use russh::keys::Algorithm;
use russh::{ChannelMsg, Preferred, kex};
use std::borrow::Cow;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Limit of opening the TCP connection; the same as for HTTP.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of key exchange and sign-in: small boards take seconds for it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// Silence after which the server is asked for a sign of life; three without an answer end the connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How long a connection may say nothing at all: a server that lives answers each question whether it does.
const INACTIVITY_LIMIT: Duration = Duration::from_mins(1);
/// After a command's exit status, when nothing more comes.
const SILENCE_AFTER_END: Duration = Duration::from_secs(1);
/// Of last choice: some hardened servers offer nothing else.
const NIST_CURVES: [kex::Name; 3] = [kex::ECDH_SHA2_NISTP256, kex::ECDH_SHA2_NISTP384, kex::ECDH_SHA2_NISTP521];
/// Most bytes of output that one command may write.
pub const MAX_OUTPUT_BYTES: usize = 8 * 1024 * 1024;

/// The sentences for everybody are reasons, for `shell` to say whose they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// The connection ended before the command did; a new one may do better.
    #[error("{0}")]
    Lost(Failure),
    /// The server has as many sessions open over this connection as it takes.
    #[error("{0}")]
    NoSession(Failure),
    #[error("{0}")]
    Failed(Failure),
}

impl SshError {
    pub fn failed(reason: impl Into<String>, private: impl Into<String>) -> Self {
        Self::Failed(Failure::new(reason, private))
    }

    fn lost(private: impl Into<String>) -> Self {
        Self::Lost(Failure::new("the SSH connection broke", private))
    }

    pub fn failure(&self) -> &Failure {
        match self {
            Self::Lost(failure) | Self::NoSession(failure) | Self::Failed(failure) => failure,
        }
    }
}

/// What a command wrote and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exit_status: u32,
    /// It wrote more than is read, and was told to end.
    pub is_cut: bool,
}

pub struct Connection {
    handle: Handle<HostKeyGuard>,
}

impl Connection {
    /// Connects, checks the host key and signs in. `offered` is asked which kind of key to begin with, and told what
    /// was shown.
    pub async fn open(config: &SshConfig, offered: &OfferedKey) -> Result<Self, SshError> {
        let trust = HostKeyTrust::load(config).await.map_err(SshError::Failed)?;
        let shown_last = offered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut kinds = kinds_in_order(&trust.algorithms(), shown_last.as_ref());
        let trust = Arc::new(trust);
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        let mut shown = Vec::new();
        loop {
            let guard = HostKeyGuard { trust: Some(Arc::clone(&trust)), offered: Arc::clone(offered) };
            match connect(config, guard, &kinds, deadline).await {
                Ok(connection) => return Ok(connection),
                // A server has several keys and shows the kind that it is asked for.
                Err(Broken::HostKey(key, _)) if trust.is_pinned() => {
                    without(&mut kinds, &key);
                    shown.push(key);
                    if kinds.is_empty() {
                        return Err(SshError::Failed(trust.none_is_pinned(&shown)));
                    }
                }
                Err(Broken::HostKey(_, failure)) => return Err(SshError::Failed(failure)),
                Err(Broken::Ssh(error)) if shown.is_empty() => return Err(error),
                Err(Broken::Ssh(_)) => return Err(SshError::Failed(trust.none_is_pinned(&shown))),
            }
        }
    }

    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Runs a command to its end.
    pub async fn run(&self, command: &str, time_limit: Duration) -> Result<Output, SshError> {
        let opening = tokio::time::timeout(CONNECT_TIMEOUT, self.handle.channel_open_session());
        let mut channel = match opening.await {
            Ok(Ok(channel)) => channel,
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                return Err(SshError::NoSession(Failure::new(
                    "it takes no more sessions",
                    format!("the SSH server refused to open a channel ({reason:?}); see its MaxSessions"),
                )));
            }
            Ok(Err(error)) => return Err(SshError::lost(format!("the SSH connection broke: {error}"))),
            Err(_) => return Err(SshError::lost("the SSH connection no longer answers")),
        };
        let mut output = Output::default();
        let running = tokio::time::timeout(time_limit, read_to_end(&mut channel, command, &mut output)).await;
        let result = match running {
            Ok(ended) => ended.map(|()| output),
            Err(_) => Err(not_in_time(command, time_limit, &output)),
        };
        let is_cut_off = result.as_ref().map_or(true, |output| output.is_cut);
        let ending = async move {
            if is_cut_off {
                channel.signal(russh::Sig::TERM).await?;
            }
            channel.close().await
        };
        // Frees the server's session also where the command goes on. Nobody waits for it: where the server is frozen,
        // it ends with the connection.
        tokio::spawn(tokio::time::timeout(CONNECT_TIMEOUT, ending));
        result
    }
}

async fn read_to_end(
    channel: &mut russh::Channel<russh::client::Msg>,
    command: &str,
    output: &mut Output,
) -> Result<(), SshError> {
    let lost = |error: russh::Error| SshError::lost(format!("the SSH connection broke: {error}"));
    // Git is understood in English only. Many servers take this variable and none has to.
    channel.set_env(false, "LC_ALL", "C").await.map_err(lost)?;
    channel.exec(true, command).await.map_err(lost)?;
    // A start-up file or a helper that asks for something finds nobody there, instead of waiting.
    channel.eof().await.map_err(lost)?;
    let mut exit_status = None;
    // The exit status may come before the last output, so only the channel's end is the end, or silence: what the command
    // has left at work may hold the channel open for long.
    loop {
        let next = channel.wait();
        let message = match exit_status {
            None => next.await,
            Some(_) => tokio::time::timeout(SILENCE_AFTER_END, next).await.unwrap_or(None),
        };
        let Some(message) = message else { break };
        match message {
            ChannelMsg::Data { data } => output.stdout.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => output.stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status: status } => exit_status = Some(status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                return failed(
                    format!("a command was ended by signal {signal_name:?}"),
                    format!("`{command}` was ended by signal {signal_name:?}"),
                );
            }
            ChannelMsg::Failure => {
                return failed("it refused a command", format!("the SSH server refused to run `{command}`"));
            }
            ChannelMsg::Close => break,
            _ => {}
        }
        if output.stdout.len() + output.stderr.len() > MAX_OUTPUT_BYTES {
            output.is_cut = true;
            return Ok(());
        }
    }
    let _closed_already = channel.close().await;
    let ended_early = || SshError::lost(format!("the SSH connection ended before `{command}` did"));
    output.exit_status = exit_status.ok_or_else(ended_early)?;
    Ok(())
}

fn not_in_time(command: &str, time_limit: Duration, output: &Output) -> SshError {
    let seconds = time_limit.as_secs_f64();
    let printed = [&*output.stdout, &*output.stderr].concat();
    let so_far = if printed.is_empty() {
        "and printed nothing: if a start-up file of the login shell holds it up, it is not by reading, as standard input \
         is closed"
            .to_owned()
    } else {
        format!("and had printed {}", first_words(&printed))
    };
    SshError::failed(
        format!("a command did not end within {seconds} s"),
        format!("`{command}` did not end within {seconds} s {so_far}; see ssh.timeout"),
    )
}

/// One connection that offers to take these kinds of host keys.
async fn connect(
    config: &SshConfig,
    guard: HostKeyGuard,
    kinds: &[Algorithm],
    deadline: Instant,
) -> Result<Connection, Broken> {
    let address = format!("{}:{}", config.host, config.port);
    let host = config.host.trim_start_matches('[').trim_end_matches(']');
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, config.port)));
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return Err(Broken::Ssh(SshError::failed(
                network_words(&error),
                format!("can't connect to {address}: {error}; check host, port and firewall"),
            )));
        }
        Err(_) => {
            let limit = CONNECT_TIMEOUT.as_secs();
            return Err(Broken::Ssh(SshError::failed(
                "no answer in time",
                format!("{address} did not answer within {limit} s; check host, port and firewall"),
            )));
        }
    };
    let handshake = tokio::time::timeout_at(deadline, handshake(config, stream, guard, kinds));
    handshake.await.unwrap_or_else(|_| {
        let limit = HANDSHAKE_TIMEOUT.as_secs();
        Err(Broken::Ssh(SshError::failed(
            "no SSH handshake in time",
            format!("{address} did not finish the SSH handshake within {limit} s; is it an SSH server?"),
        )))
    })
}

async fn handshake(
    config: &SshConfig,
    stream: TcpStream,
    guard: HostKeyGuard,
    kinds: &[Algorithm],
) -> Result<Connection, Broken> {
    // A delayed small packet would add to every command; without the option it is only slower.
    let _ = stream.set_nodelay(true);
    let preferred = Preferred::default();
    let client = Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-TestArena_", env!("CARGO_PKG_VERSION")))),
        keepalive_interval: Some(KEEPALIVE_INTERVAL),
        // Nobody asks a server that freezes while keys are exchanged whether it is alive, and its connection would stay open.
        inactivity_timeout: Some(INACTIVITY_LIMIT),
        preferred: Preferred {
            key: Cow::Owned(kinds.to_vec()),
            kex: Cow::Owned([&*preferred.kex, &NIST_CURVES].concat()),
            ..preferred
        },
        ..Config::default()
    };
    let mut handle = russh::client::connect_stream(Arc::new(client), stream, guard).await?;
    sign_in::sign_in(&mut handle, config).await?;
    Ok(Connection { handle })
}

fn broken(error: russh::Error) -> SshError {
    SshError::failed("the SSH handshake failed", format!("the SSH handshake failed: {error}"))
}

fn failed<T>(reason: impl Into<String>, private: impl Into<String>) -> Result<T, SshError> {
    Err(SshError::failed(reason, private))
}
