//! Which host key an environment's SSH server must show, and what is said when it shows another.
//! There is no way to skip it: an administrator compares the fingerprint once and pins it or adds the key.

use super::Failure;
use super::known_hosts::{KnownHosts, Verdict};
use crate::config::{HostKeyCheck, SshConfig};
use protocol::text::{self, NotUtf8};
use std::fmt;
use std::path::{Path, PathBuf};

/// A key that a server has shown, trusted or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownKey {
    /// As it is called in `known_hosts`, such as `ssh-ed25519`.
    pub kind: String,
    /// `SHA256:…`
    pub fingerprint: String,
}

impl fmt::Display for ShownKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.fingerprint, self.kind)
    }
}

/// The reason that everybody is told.
const UNTRUSTED: &str = "its host key is not the trusted one";

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
    pub async fn load(config: &SshConfig) -> Result<Self, Failure> {
        let source = match &config.host_key {
            HostKeyCheck::KnownHosts(path) => {
                Source::KnownHosts { file: load_known_hosts(path).await?, path: path.clone() }
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

    pub fn is_pinned(&self) -> bool {
        matches!(self.source, Source::Pinned(_))
    }

    /// What is said when none of all the server's keys is the pinned one.
    pub fn none_is_pinned(&self, shown: &[ShownKey]) -> Failure {
        let Source::Pinned(pinned) = &self.source else { return UNTRUSTED.into() };
        let keys: Vec<String> = shown.iter().map(ToString::to_string).collect();
        self.refused(format!(
            "shows {}, but ssh.host_key pins {pinned}; somebody may be in between. If the server's keys really were \
             changed, compare them on the server and put one of these fingerprints there",
            keys.join(", ")
        ))
    }

    /// `key` is the public key as it crosses the wire, `fingerprint` its `SHA256:…`.
    pub fn check(&self, fingerprint: &str, key: &[u8]) -> Result<(), Failure> {
        let (file, path) = match &self.source {
            Source::Pinned(pinned) if pinned == fingerprint => return Ok(()),
            Source::Pinned(pinned) => {
                return Err(self.refused(format!("shows host key {fingerprint}, but ssh.host_key pins {pinned}")));
            }
            Source::KnownHosts { file, path } => (file, path.display()),
        };
        let (host, port) = (&self.host, self.port);
        match file.verdict(host, port, key) {
            Verdict::Known => Ok(()),
            Verdict::Unknown if file.has_authority(host, port) => Err(self.refused(format!(
                "shows host key {fingerprint}, and {path} has only @cert-authority lines for it, which do not count \
                 here; add the key itself or pin it with ssh.host_key"
            ))),
            Verdict::Unknown => Err(self.refused(format!(
                "has an unknown host key: it shows {fingerprint}; compare that on the server, then add the key to \
                 {path} or pin it with ssh.host_key"
            ))),
            Verdict::Changed => Err(self.refused(format!(
                "shows host key {fingerprint}, but {path} has another one for it; somebody may be in between. If the \
                 server's key really was changed, replace it there"
            ))),
            Verdict::Revoked => Err(self.refused(format!(
                "shows host key {fingerprint}, which {path} marks as revoked; give the server a new key"
            ))),
        }
    }

    fn refused(&self, what: String) -> Failure {
        Failure::new(UNTRUSTED, format!("{}:{} {what}", self.host, self.port))
    }
}

/// # Errors
/// The file can't be read.
pub async fn load_known_hosts(path: &Path) -> Result<KnownHosts, Failure> {
    let wrong = |why: String| {
        let told = format!("can't read ssh.known_hosts {}: {why}", path.display());
        Failure::new("its SSH is not set up right here", told)
    };
    let bytes = tokio::fs::read(path).await.map_err(|error| wrong(error.to_string()))?;
    let text = match text::of_file(bytes.clone()) {
        Ok(text) => text,
        Err(error @ NotUtf8::Utf16) => return Err(wrong(error.to_string())),
        // Of a comment; what is a key is ASCII.
        Err(NotUtf8::Other) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    Ok(KnownHosts::parse(&text))
}
