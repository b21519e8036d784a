//! Reads an OpenSSH `known_hosts` file and says whether an offered host key is the one that belongs to a host.
//! Hashed names, `[host]:port`, wildcards, negation and `@revoked` count; a `@cert-authority` line vouches for no key
//! here, and is only noticed.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The usual port; only others are written into the file as `[host]:port`.
const SSH_PORT: u16 = 22;

/// What the file says of an offered key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Known,
    /// The file has no key for this host.
    Unknown,
    /// The file has only other keys for this host.
    Changed,
    Revoked,
}

#[derive(Clone, Debug, Default)]
pub struct KnownHosts(Vec<Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Key,
    Revoked,
    Authority,
}

#[derive(Clone, Debug)]
struct Entry {
    mark: Mark,
    patterns: String,
    algorithm: String,
    key: Vec<u8>,
}

impl KnownHosts {
    /// Lines that are no entry are skipped, as OpenSSH does.
    pub fn parse(text: &str) -> Self {
        // An editor on Windows may begin a file with a mark of its own.
        Self(text.trim_start_matches('\u{feff}').lines().filter_map(parse_line).collect())
    }

    /// Algorithms of the keys that the file has for the host, so that the server is asked for one of these first.
    pub fn algorithms(&self, host: &str, port: u16) -> Vec<&str> {
        let name = lookup_name(host, port);
        self.entries(&name, Mark::Key).map(|entry| entry.algorithm.as_str()).collect()
    }

    /// Whether the file has a certificate authority for the host.
    pub fn has_authority(&self, host: &str, port: u16) -> bool {
        self.entries(&lookup_name(host, port), Mark::Authority).next().is_some()
    }

    /// `key` is the public key as it crosses the wire (RFC 4253, 6.6).
    pub fn verdict(&self, host: &str, port: u16, key: &[u8]) -> Verdict {
        let name = lookup_name(host, port);
        if self.entries(&name, Mark::Revoked).any(|entry| entry.key == key) {
            return Verdict::Revoked;
        }
        let mut known = self.entries(&name, Mark::Key).peekable();
        if known.peek().is_none() {
            return Verdict::Unknown;
        }
        if known.any(|entry| entry.key == key) { Verdict::Known } else { Verdict::Changed }
    }

    fn entries<'a>(&'a self, name: &str, mark: Mark) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| entry.mark == mark && matches_any(&entry.patterns, name))
    }
}

/// Whether this could be a fingerprint as OpenSSH writes it: `SHA256:` and 32 bytes in base 64.
pub fn is_fingerprint(text: &str) -> bool {
    let encoded = text.strip_prefix("SHA256:").map(|encoded| encoded.trim_end_matches('='));
    encoded.and_then(|encoded| STANDARD_NO_PAD.decode(encoded).ok()).is_some_and(|hash| hash.len() == 32)
}

fn lookup_name(host: &str, port: u16) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if port == SSH_PORT { host } else { format!("[{host}]:{port}") }
}

fn parse_line(line: &str) -> Option<Entry> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    let (mark, patterns) = match first {
        "@revoked" => (Mark::Revoked, words.next()?),
        "@cert-authority" => (Mark::Authority, words.next()?),
        marker if marker.starts_with('@') || marker.starts_with('#') => return None,
        patterns => (Mark::Key, patterns),
    };
    let algorithm = words.next()?.to_owned();
    let key = BASE64.decode(words.next()?).ok()?;
    Some(Entry { mark, patterns: patterns.to_owned(), algorithm, key })
}

/// A matching `!pattern` overrules all others of the line.
fn matches_any(patterns: &str, name: &str) -> bool {
    let mut is_match = false;
    for pattern in patterns.split(',') {
        if let Some(negated) = pattern.strip_prefix('!') {
            if matches_pattern(negated, name) {
                return false;
            }
        } else {
            is_match |= matches_pattern(pattern, name);
        }
    }
    is_match
}

fn matches_pattern(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("|1|") {
        Some(hashed) => is_hash_of(hashed, name).unwrap_or(false),
        None => matches_wildcards(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()),
    }
}

/// `<salt>|<HMAC-SHA1 of the name>`, both in base 64.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&BASE64.decode(salt).ok()?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&BASE64.decode(hash).ok()?).is_ok())
}

/// `*` stands for any characters, `?` for one.
fn matches_wildcards(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut last_star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star, matched)) = last_star else { return false };
                last_star = Some((star, matched + 1));
                p = star + 1;
                n = matched + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    // "key1" and "key2" in base 64; the reader does not look into keys.
    const KEY_1: &str = "a2V5MQ==";
    const KEY_2: &str = "a2V5Mg==";

    fn verdict(file: &str, host: &str, port: u16) -> Verdict {
        KnownHosts::parse(file).verdict(host, port, b"key1")
    }

    #[test]
    fn a_host_is_known_by_name_port_list_wildcard_or_hash() {
        for (line, host, port) in [
            ("bench", "bench", 22),
            ("bench,10.0.0.1", "10.0.0.1", 22),
            ("BENCH", "bench", 22),
            ("[bench]:2222", "bench", 2222),
            ("[::1]:2222", "::1", 2222),
            ("*.lab,!old.lab", "new.lab", 22),
            ("bench-?", "bench-a", 22),
            ("[*]:2222", "bench", 2222),
        ] {
            assert_eq!(verdict(&format!("{line} ssh-ed25519 {KEY_1} note"), host, port), Verdict::Known, "{line}");
        }
        for (line, host, port) in [
            ("bench", "bench", 2222),
            ("[bench]:2222", "bench", 22),
            ("*.lab,!old.lab", "old.lab", 22),
            ("bench-?", "bench-", 22),
            ("# bench", "bench", 22),
            ("@cert-authority bench", "bench", 22),
        ] {
            assert_eq!(verdict(&format!("{line} ssh-ed25519 {KEY_1}"), host, port), Verdict::Unknown, "{line}");
        }
    }

    #[test]
    fn another_key_for_the_host_is_a_change() {
        assert_eq!(verdict(&format!("bench ssh-rsa {KEY_2}"), "bench", 22), Verdict::Changed);
        let both = format!("bench ssh-rsa {KEY_2}\n\nnonsense\nbench ssh-ed25519 {KEY_1}\n");
        assert_eq!(verdict(&both, "bench", 22), Verdict::Known);
        assert_eq!(KnownHosts::parse(&both).algorithms("bench", 22), ["ssh-rsa", "ssh-ed25519"]);
    }

    #[test]
    fn a_revoked_key_is_refused_even_if_it_is_known() {
        let file = format!("bench ssh-ed25519 {KEY_1}\n@revoked * ssh-ed25519 {KEY_1}\n");
        assert_eq!(verdict(&file, "bench", 22), Verdict::Revoked);
    }

    #[test]
    fn a_fingerprint_is_a_whole_hash() {
        assert!(is_fingerprint("SHA256:jvBr9YdF6TUUwoVSX0xVgB2fLSE9ZRmhO3J2RoRWTLU"));
        assert!(is_fingerprint("SHA256:jvBr9YdF6TUUwoVSX0xVgB2fLSE9ZRmhO3J2RoRWTLU="));
        assert!(!is_fingerprint("SHA256:jvBr9YdF6TUUwoVSX0xVgB2f"));
        assert!(!is_fingerprint("MD5:16:27:ac"));
    }

    #[test]
    fn hashed_names_are_recognised() {
        let mut mac = Hmac::<Sha1>::new_from_slice(b"salt").unwrap();
        mac.update(b"[bench]:2222");
        let hash = BASE64.encode(mac.finalize().into_bytes());
        let line = format!("|1|{}|{hash} ssh-ed25519 {KEY_1}", BASE64.encode(b"salt"));
        assert_eq!(verdict(&line, "bench", 2222), Verdict::Known);
        assert_eq!(verdict(&line, "other", 2222), Verdict::Unknown);
        assert_eq!(verdict("|1|broken ssh-ed25519 a2V5MQ==", "bench", 2222), Verdict::Unknown);
    }
}
