//! The server's host key, made at the first start, and the clients' keys in an `authorized_keys` file.
//! That file is read at every sign-in, so that a change in it holds at once.

use protocol::text;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::authorized_keys::Entry;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Options that take away what this server does not offer anyway. With any other one (`from=`, `command=`)
/// a key is not accepted, since its restriction would not be kept.
const HARMLESS_OPTIONS: [&str; 6] =
    ["restrict", "no-pty", "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc"];

/// Reads the host key, or makes an Ed25519 one that only its owner may read. Blocks.
pub fn host_key(path: &Path) -> io::Result<PrivateKey> {
    let explain = |problem: String| io::Error::other(format!("host key {}: {problem}", path.display()));
    match std::fs::read(path) {
        Ok(text) => {
            let key = PrivateKey::from_openssh(text).map_err(|error| explain(error.to_string()))?;
            if key.is_encrypted() {
                return Err(explain("it is protected by a passphrase; give one without".to_owned()));
            }
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_host_key(path).map_err(|e| explain(e.to_string()))
        }
        Err(error) => Err(explain(error.to_string())),
    }
}

/// Reads a client's key, or makes one, and returns its line for an `authorized_keys` file. Blocks.
pub fn client_key(path: &Path) -> io::Result<String> {
    host_key(path)?.public_key().to_openssh().map_err(io::Error::other)
}

fn make_host_key(path: &Path) -> io::Result<PrivateKey> {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(io::Error::other)?;
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(key)
}

pub fn fingerprint(key: &PrivateKey) -> String {
    fingerprint_of(key.public_key())
}

pub fn fingerprint_of(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Whether the file lists this key. Blocks.
pub fn is_authorized(path: &Path, key: &PublicKey) -> io::Result<bool> {
    let read = std::fs::read(path).and_then(|bytes| text::of_file(bytes).map_err(io::Error::other));
    let text = read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let entries = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(entries.filter_map(|line| line.parse::<Entry>().ok()).any(|entry| lists(&entry, key)))
}

fn lists(entry: &Entry, key: &PublicKey) -> bool {
    if entry.public_key().key_data() != key.key_data() {
        return false;
    }
    let is_kept = |option: &str| HARMLESS_OPTIONS.contains(&option.to_ascii_lowercase().as_str());
    match entry.config_opts().iter().find(|option| !is_kept(option)) {
        None => true,
        Some(option) => {
            tracing::warn!(option, "a key in authorized_keys is not accepted: its option can't be kept here");
            false
        }
    }
}
