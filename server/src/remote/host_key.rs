//! Which host key an environment's SSH server must show, and what is said when it shows another.
//! There is no way to skip it: an administrator compares the fingerprint once and pins it or adds the key.

use super::known_hosts::{KnownHosts, Verdict};
use crate::config::{HostKeyCheck, SshConfig};
use std::path::PathBuf;

pub struct HostKeyTrust {
    host: String,
    port: u16,
    source: Source,
}

enum Source {
    KnownHosts { file: KnownHosts, path: PathBuf },
    Pinned(String),
}

impl HostKeyTrust {
    /// Reads the file anew for each connection, so that an administrator's change holds at once.
    pub async fn load(config: &SshConfig) -> Result<Self, String> {
        let source = match &config.host_key {
            HostKeyCheck::KnownHosts(path) => {
                let read = tokio::fs::read(path).await;
                let text = read.map_err(|error| format!("can't read ssh.known_hosts {}: {error}", path.display()))?;
                Source::KnownHosts { file: KnownHosts::parse(&String::from_utf8_lossy(&text)), path: path.clone() }
            }
            HostKeyCheck::Fingerprint(pinned) => Source::Pinned(pinned.trim_end_matches('=').to_owned()),
        };
        Ok(Self { host: config.host.clone(), port: config.port, source })
    }

    /// The algorithms of the keys that are known; none where a fingerprint is pinned, which does not say.
    pub fn algorithms(&self) -> Vec<&str> {
        match &self.source {
            Source::KnownHosts { file, .. } => file.algorithms(&self.host, self.port),
            Source::Pinned(_) => Vec::new(),
        }
    }

    /// `key` is the public key as it crosses the wire, `fingerprint` its `SHA256:…`.
    pub fn check(&self, fingerprint: &str, key: &[u8]) -> Result<(), String> {
        let (host, port) = (&self.host, self.port);
        let (file, path) = match &self.source {
            Source::Pinned(pinned) if pinned == fingerprint => return Ok(()),
            Source::Pinned(pinned) => {
                return Err(format!(
                    "{host}:{port} shows host key {fingerprint}, but ssh.host_key pins {pinned}; somebody may be in \
                     between. If the server's key really was changed, put the new fingerprint there"
                ));
            }
            Source::KnownHosts { file, path } => (file, path.display()),
        };
        match file.verdict(host, port, key) {
            Verdict::Known => Ok(()),
            Verdict::Unknown => Err(format!(
                "the host key of {host}:{port} is unknown: it shows {fingerprint}; compare that on the server, then \
                 add the key to {path} or pin it with ssh.host_key"
            )),
            Verdict::Changed => Err(format!(
                "{host}:{port} shows host key {fingerprint}, but {path} has another one for it; somebody may be in \
                 between. If the server's key really was changed, replace it there"
            )),
            Verdict::Revoked => Err(format!(
                "{host}:{port} shows host key {fingerprint}, which {path} marks as revoked; give the server a new key"
            )),
        }
    }
}
