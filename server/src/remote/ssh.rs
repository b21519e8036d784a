//! One SSH connection to a remote test server: checked host key, signed in, commands in exec channels.
//! The only file that names russh; how long a connection is kept is decided in `shell`.

use super::host_key::HostKeyTrust;
use crate::config::{Secret, SshConfig, SshCredential};
use russh::client::{AuthResult, Config, Handle, Handler, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{ChannelMsg, MethodKind, Preferred};
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// Limit of opening the TCP connection; the same as for HTTP.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of key exchange and sign-in: small boards take seconds for it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);
/// Silence after which the server is asked for a sign of life; three without an answer end the connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Most bytes of output that one command may write.
const MAX_OUTPUT_BYTES: usize = 8 * 1024 * 1024;
/// Most questions that a sign-in may ask before it counts as failed.
const MAX_SIGN_IN_ROUNDS: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// The connection ended before the command did; a new one may do better.
    #[error("{0}")]
    Lost(String),
    #[error("{0}")]
    Failed(String),
}

/// What a command wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exit_status: u32,
}

/// The fingerprint that a server showed last, `SHA256:…`, trusted or not.
pub type OfferedKey = Arc<Mutex<Option<String>>>;

pub struct Connection {
    handle: Handle<HostKeyGuard>,
}

impl Connection {
    /// Connects, checks the host key and signs in.
    pub async fn open(config: &SshConfig, offered: OfferedKey) -> Result<Self, SshError> {
        let address = format!("{}:{}", config.host, config.port);
        let trust = HostKeyTrust::load(config).await.map_err(SshError::Failed)?;
        let guard = HostKeyGuard { trust, offered };
        let host = config.host.trim_start_matches('[').trim_end_matches(']');
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, config.port)));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return failed(format!("can't connect to {address}: {error}; check host, port and firewall"));
            }
            Err(_) => {
                let limit = CONNECT_TIMEOUT.as_secs();
                return failed(format!("{address} did not answer within {limit} s; check host, port and firewall"));
            }
        };
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(config, stream, guard));
        handshake.await.unwrap_or_else(|_| {
            let limit = HANDSHAKE_TIMEOUT.as_secs();
            failed(format!("{address} did not finish the SSH handshake within {limit} s; is it an SSH server?"))
        })
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
                return failed(format!("the SSH server refused to open a channel ({reason:?}); see its MaxSessions"));
            }
            Ok(Err(error)) => return Err(SshError::Lost(format!("the SSH connection broke: {error}"))),
            Err(_) => return Err(SshError::Lost("the SSH connection no longer answers".to_owned())),
        };
        let running = tokio::time::timeout(time_limit, read_to_end(&mut channel, command));
        let result = running.await.unwrap_or_else(|_| {
            failed(format!("`{command}` did not end within {} s; see ssh.timeout", time_limit.as_secs_f64()))
        });
        let ending = async {
            if result.is_err() {
                channel.signal(russh::Sig::TERM).await?;
            }
            channel.close().await
        };
        // Frees the server's session also where the command goes on. It can only fail where nothing is left of it.
        let _ = tokio::time::timeout(CONNECT_TIMEOUT, ending).await;
        result
    }
}

async fn read_to_end(channel: &mut russh::Channel<russh::client::Msg>, command: &str) -> Result<Output, SshError> {
    let lost = |error: russh::Error| SshError::Lost(format!("the SSH connection broke: {error}"));
    channel.exec(true, command).await.map_err(lost)?;
    let mut output = Output { stdout: Vec::new(), stderr: Vec::new(), exit_status: 0 };
    let mut exit_status = None;
    // The exit status may come before the last output, so only the channel's end is the end.
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => output.stdout.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => output.stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status: status } => exit_status = Some(status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                return failed(format!("`{command}` was ended by signal {signal_name:?}"));
            }
            ChannelMsg::Failure => return failed(format!("the SSH server refused to run `{command}`")),
            ChannelMsg::Close => break,
            _ => {}
        }
        if output.stdout.len() + output.stderr.len() > MAX_OUTPUT_BYTES {
            return failed(format!("`{command}` wrote more than {} MiB", MAX_OUTPUT_BYTES >> 20));
        }
    }
    let Some(exit_status) = exit_status else {
        return Err(SshError::Lost(format!("the SSH connection ended before `{command}` did")));
    };
    Ok(Output { exit_status, ..output })
}

async fn handshake(config: &SshConfig, stream: TcpStream, guard: HostKeyGuard) -> Result<Connection, SshError> {
    // A delayed small packet would add to every command; without the option it is only slower.
    let _ = stream.set_nodelay(true);
    let client = Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-TestArena_", env!("CARGO_PKG_VERSION")))),
        keepalive_interval: Some(KEEPALIVE_INTERVAL),
        preferred: guard.preferred(),
        ..Config::default()
    };
    let mut handle = russh::client::connect_stream(Arc::new(client), stream, guard).await?;
    sign_in(&mut handle, config).await?;
    Ok(Connection { handle })
}

async fn sign_in(handle: &mut Handle<HostKeyGuard>, config: &SshConfig) -> Result<(), SshError> {
    let user = config.user.as_str();
    let is_let_in = match &config.credential {
        SshCredential::IdentityFile(path) => offer_key(handle, user, path).await?,
        SshCredential::Password(password) => offer_password(handle, user, password).await.map_err(broken)?,
    };
    if is_let_in {
        return Ok(());
    }
    let what = match &config.credential {
        SshCredential::IdentityFile(path) => {
            format!("the key {}; is its public half in the server's authorized_keys?", path.display())
        }
        SshCredential::Password(_) => "the password; see ssh.password_env".to_owned(),
    };
    let end = if handle.is_closed() { " (it closed the connection)" } else { "" };
    failed(format!("the SSH server did not let user {user:?} in with {what}{end}"))
}

async fn offer_key(handle: &mut Handle<HostKeyGuard>, user: &str, path: &Path) -> Result<bool, SshError> {
    let key = Arc::new(load_identity(path).await?);
    let hash = handle.best_supported_rsa_hash().await.map_err(broken)?.flatten();
    // A server that does not say what it takes is at least as new as rsa-sha2-256.
    let key = PrivateKeyWithHashAlg::new(key, hash.or(Some(HashAlg::Sha256)));
    Ok(handle.authenticate_publickey(user, key).await.map_err(broken)?.success())
}

/// Some servers take a password only as the answer to a question.
async fn offer_password(
    handle: &mut Handle<HostKeyGuard>,
    user: &str,
    password: &Secret,
) -> Result<bool, russh::Error> {
    match handle.authenticate_password(user, password.expose()).await? {
        AuthResult::Success => Ok(true),
        AuthResult::Failure { remaining_methods, .. }
            if remaining_methods.contains(&MethodKind::KeyboardInteractive) =>
        {
            answer_questions(handle, user, password).await
        }
        AuthResult::Failure { .. } => Ok(false),
    }
}

async fn answer_questions(
    handle: &mut Handle<HostKeyGuard>,
    user: &str,
    password: &Secret,
) -> Result<bool, russh::Error> {
    let mut reply = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..MAX_SIGN_IN_ROUNDS {
        let KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } = reply else { break };
        let answers = prompts.iter().map(|_| password.expose().to_owned()).collect();
        reply = handle.authenticate_keyboard_interactive_respond(answers).await?;
    }
    Ok(matches!(reply, KeyboardInteractiveAuthResponse::Success))
}

async fn load_identity(path: &Path) -> Result<PrivateKey, SshError> {
    let read = tokio::fs::read_to_string(path).await;
    let text =
        read.map_err(|error| SshError::Failed(format!("can't read ssh.identity_file {}: {error}", path.display())))?;
    russh::keys::decode_secret_key(&text, None).map_err(|error| {
        let path = path.display();
        SshError::Failed(match error {
            russh::keys::Error::KeyIsEncrypted => {
                format!("ssh.identity_file {path} is encrypted; give TestArena a key without a passphrase")
            }
            error => format!("ssh.identity_file {path} is no private key that can be read: {error}"),
        })
    })
}

/// Lets only the configured host key through.
struct HostKeyGuard {
    trust: HostKeyTrust,
    offered: OfferedKey,
}

impl HostKeyGuard {
    /// A server with several host keys shows the first kind that we ask for: ask for the kinds that we know.
    fn preferred(&self) -> Preferred {
        let known = self.trust.algorithms();
        let mut algorithms = Preferred::DEFAULT.key.into_owned();
        algorithms.sort_by_key(|algorithm| {
            // RSA keys stand in the file under the name of their oldest algorithm.
            let name = if algorithm.clone().is_rsa() { "ssh-rsa" } else { algorithm.as_str() };
            !known.contains(&name)
        });
        Preferred { key: Cow::Owned(algorithms), ..Preferred::default() }
    }

    fn check(&self, key: &PublicKey) -> Result<(), SshError> {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint.clone());
        let bytes = key.to_bytes().map_err(|error| SshError::Failed(format!("unreadable host key: {error}")))?;
        self.trust.check(&fingerprint, &bytes).map_err(SshError::Failed)
    }
}

impl Handler for HostKeyGuard {
    type Error = SshError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, SshError> {
        match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check(key).map(|()| true),
            PublicKeyOrCertificate::Certificate(_) => {
                failed("the SSH server shows a certificate as host key".to_owned())
            }
        }
    }
}

impl From<russh::Error> for SshError {
    fn from(error: russh::Error) -> Self {
        broken(error)
    }
}

fn broken(error: russh::Error) -> SshError {
    SshError::Failed(format!("the SSH handshake failed: {error}"))
}

fn failed<T>(message: String) -> Result<T, SshError> {
    Err(SshError::Failed(message))
}
