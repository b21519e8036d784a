//! Which host keys a connection asks for and lets through.
//! A server has several and shows one: of the kind that it is asked for first.

use super::{SshError, connect};
use crate::config::SshConfig;
use crate::remote::Failure;
use crate::remote::host_key::{HostKeyTrust, ShownKey};
use russh::Preferred;
use russh::client::Handler;
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// The host key that a server showed last, trusted or not.
pub type OfferedKey = Arc<Mutex<Option<ShownKey>>>;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Broken {
    /// The server shows this key, which is not to be trusted.
    HostKey(ShownKey, Failure),
    Ssh(SshError),
}

impl From<russh::Error> for Broken {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(super::broken(error))
    }
}

impl From<SshError> for Broken {
    fn from(error: SshError) -> Self {
        Self::Ssh(error)
    }
}

/// All host keys that the server has, one connection each; none of them is trusted by it.
pub async fn host_keys(config: &SshConfig) -> Result<Vec<ShownKey>, SshError> {
    let mut kinds = kinds_in_order(&[], None);
    let deadline = Instant::now() + super::HANDSHAKE_TIMEOUT;
    let mut shown: Vec<ShownKey> = Vec::new();
    loop {
        let guard = HostKeyGuard { trust: None, offered: OfferedKey::default() };
        match connect(config, guard, &kinds, deadline).await {
            Err(Broken::HostKey(key, _)) => {
                without(&mut kinds, &key);
                shown.push(key);
                if kinds.is_empty() {
                    return Ok(shown);
                }
            }
            Err(Broken::Ssh(error)) if shown.is_empty() => return Err(error),
            Err(Broken::Ssh(_)) | Ok(_) => return Ok(shown),
        }
    }
}

/// The kinds of host keys to ask for: first those that are known, among them the one that was shown last.
pub(super) fn kinds_in_order(known: &[&str], shown_last: Option<&ShownKey>) -> Vec<Algorithm> {
    let mut kinds = Preferred::DEFAULT.key.into_owned();
    kinds.sort_by_key(|kind| {
        let name = name_of(kind);
        (!known.contains(&name), shown_last.is_none_or(|key| key.kind != name))
    });
    kinds
}

pub(super) fn without(kinds: &mut Vec<Algorithm>, key: &ShownKey) {
    kinds.retain(|kind| name_of(kind) != key.kind);
}

/// An RSA key signs in several ways and stands in files under the name of the oldest.
fn name_of(kind: &Algorithm) -> &str {
    if kind.clone().is_rsa() { "ssh-rsa" } else { kind.as_str() }
}

/// Lets only the configured host key through.
pub(super) struct HostKeyGuard {
    /// `None`: only to see what is shown.
    pub(super) trust: Option<Arc<HostKeyTrust>>,
    pub(super) offered: OfferedKey,
}

impl HostKeyGuard {
    fn check(&self, key: &PublicKey) -> Result<(), Broken> {
        let unreadable = |error| SshError::failed("it has an odd host key", format!("unreadable host key: {error}"));
        let bytes = key.to_bytes().map_err(unreadable)?;
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let shown = ShownKey { kind: name_of(&key.algorithm()).to_owned(), fingerprint };
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
        let verdict = match &self.trust {
            Some(trust) => trust.check(&shown.fingerprint, &bytes),
            None => Err("its host key was only looked at".into()),
        };
        verdict.map_err(|failure| Broken::HostKey(shown, failure))
    }
}

impl Handler for HostKeyGuard {
    type Error = Broken;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Broken> {
        match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check(key).map(|()| true),
            PublicKeyOrCertificate::Certificate(_) => Err(Broken::Ssh(SshError::failed(
                "its host key is not the trusted one",
                "the SSH server shows a certificate as host key, which was not asked for",
            ))),
        }
    }
}
