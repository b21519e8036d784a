//! The runner's own small SSH server: public keys only, and only the commands of the contract.
//! The only place that knows russh.

mod answer;
mod command;
mod keys;
mod words;

use crate::config::SshConfig;
use crate::connections::{ACCEPT_AGAIN_AFTER, Connections, Guest};
use crate::state::State;
use answer::run_command;
pub use keys::client_key;
use russh::server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelWriteHalf, Disconnect, MethodKind, MethodSet};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Somebody who has not shown a key by then is not going to.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);
/// A wrong key costs this long.
const REJECTION_TIME: Duration = Duration::from_secs(1);
/// A client that is gone without a word is noticed after three of these.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Connections at once. Each TestArena keeps one, and those on which nobody has signed in make room for it.
const MAX_CONNECTIONS: usize = 64;
/// Channels at once on one connection. A TestArena uses 4.
const MAX_CHANNELS: usize = 16;

pub struct Listening {
    pub address: SocketAddr,
    /// `SHA256:…`
    pub fingerprint: String,
    listener: TcpListener,
    config: Arc<server::Config>,
    authorized_keys: PathBuf,
}

/// Reads or makes the host key and binds the port.
pub async fn listen(config: &SshConfig) -> io::Result<Listening> {
    let path = config.host_key.clone();
    let key = tokio::task::spawn_blocking(move || keys::host_key(&path)).await??;
    let fingerprint = keys::fingerprint(&key);
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", config.listen)))?;
    let russh = server::Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: REJECTION_TIME,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        keepalive_interval: Some(KEEPALIVE),
        nodelay: true,
        ..server::Config::default()
    };
    let (address, authorized_keys) = (listener.local_addr()?, config.authorized_keys.clone());
    Ok(Listening { address, fingerprint, listener, config: Arc::new(russh), authorized_keys })
}

impl Listening {
    /// Serves connections until the runner stops.
    pub async fn serve(self, state: State) {
        let mut open = Connections::default();
        loop {
            let accepted = tokio::select! {
                () = state.stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::error!(%error, "an SSH connection could not be accepted");
                    open.close_silent_one();
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            };
            if !open.make_room(MAX_CONNECTIONS) {
                tracing::warn!(%peer, "an SSH connection was refused: {MAX_CONNECTIONS} are open and in use");
                continue;
            }
            let (config, authorized_keys, state) = (self.config.clone(), self.authorized_keys.clone(), state.clone());
            open.spawn(|guest| async move {
                let connection = Connection { state, authorized_keys, guest, channels: HashMap::new() };
                if let Err(error) = serve_connection(config, stream, connection).await {
                    tracing::info!(%peer, %error, "an SSH connection ended early");
                }
            });
        }
    }
}

async fn serve_connection(
    config: Arc<server::Config>,
    stream: TcpStream,
    connection: Connection,
) -> Result<(), russh::Error> {
    let (stop, guest) = (connection.state.stop.clone(), connection.guest.clone());
    let hello = tokio::time::timeout(LOGIN_LIMIT, server::run_stream(config, stream, connection));
    let mut session = tokio::select! {
        () = guest.asked_to_leave() => return Ok(()),
        hello = hello => hello.map_err(|_| russh::Error::ConnectionTimeout)??,
    };
    let handle = session.handle();
    let too_late = async {
        tokio::time::sleep(LOGIN_LIMIT).await;
        if guest.has_spoken() {
            std::future::pending::<()>().await;
        }
    };
    let reason = tokio::select! {
        biased;
        result = &mut session => return result,
        () = stop.cancelled() => "the test server stops",
        () = too_late => "no key was shown in time",
        () = guest.asked_to_leave() => "others wait for this connection",
    };
    // Dropped alone, the session would go on.
    handle.disconnect(Disconnect::ByApplication, reason.to_owned(), String::new()).await
}

struct Connection {
    state: State,
    authorized_keys: PathBuf,
    guest: Guest,
    channels: HashMap<ChannelId, Open>,
}

/// An open channel; what runs for it ends when this is dropped.
struct Open {
    /// Until a command has been asked for.
    writer: Option<ChannelWriteHalf<Msg>>,
    closed: DropGuard,
    /// Its command has ended, and we have closed it. Of the client's answer to that russh says nothing.
    ended: CancellationToken,
}

impl Connection {
    async fn knows(&self, key: &russh::keys::PublicKey) -> Auth {
        let (path, key) = (self.authorized_keys.clone(), key.clone());
        let known = tokio::task::spawn_blocking(move || keys::is_authorized(&path, &key)).await;
        match known.map_err(io::Error::from).flatten() {
            Ok(true) => Auth::Accept,
            Ok(false) => Auth::reject(),
            Err(error) => {
                tracing::error!(%error, "authorized_keys can't be read, so nobody gets in by SSH");
                Auth::reject()
            }
        }
    }
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        Ok(self.knows(offer.public_key).await)
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let answer = self.knows(key.public_key).await;
        if matches!(answer, Auth::Accept) {
            let key = keys::fingerprint_of(key.public_key);
            tracing::info!(user = user.escape_debug().to_string(), key, "an SSH client signed in");
            self.guest.speak();
        }
        Ok(answer)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.retain(|_, open| !open.ended.is_cancelled());
        if self.channels.len() >= MAX_CHANNELS {
            reply.reject(russh::ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        // Nothing that a client sends on a channel is of any use here, so the reading half goes.
        let (_, writer) = channel.split();
        let (closed, ended) = (CancellationToken::new().drop_guard(), CancellationToken::new());
        self.channels.insert(id, Open { writer: Some(writer), closed, ended });
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let open = self.channels.get_mut(&channel);
        let Some((writer, open)) = open.and_then(|open| Some((open.writer.take()?, open))) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let (state, command) = (self.state.clone(), command.to_vec());
        let (closed, ended) = (open.closed.token().clone(), open.ended.clone().drop_guard());
        tokio::spawn(async move {
            let _ended = ended;
            tokio::select! {
                () = closed.cancelled() => {}
                () = state.stop.cancelled() => {}
                result = run_command(&state, &command, &writer) => {
                    if let Err(error) = result {
                        tracing::info!(%error, "the answer to an SSH command could not be sent");
                    }
                }
            }
        });
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }
}
