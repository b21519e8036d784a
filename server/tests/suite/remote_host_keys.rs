//! Host keys of a real OpenSSH server: pinned ones of every kind, and what a `known_hosts` file may say of them.
//! Each test has a server of its own.

use crate::remote_bench::{Bench, unreachable};
use server::config::HostKeyCheck;
use server::remote::Remote;
use std::path::PathBuf;
use std::process::Command;

/// Whether the server is trusted, and what it showed.
async fn ask(bench: &Bench, check: HostKeyCheck) -> (Result<(), String>, Option<String>) {
    let environment = bench.environment_with(|ssh| ssh.host_key = check);
    let answer = environment.repository.branches().await;
    let answer = answer.map(drop).map_err(|error| unreachable::<()>(Err(error)));
    (answer, environment.ssh_state().status().host_key)
}

/// A `known_hosts` file of these lines.
fn known_hosts(bench: &Bench, lines: &str) -> HostKeyCheck {
    let file = bench.path("known_hosts_of_test");
    std::fs::write(&file, lines).unwrap();
    HostKeyCheck::KnownHosts(file)
}

fn public_key(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap()
}

#[tokio::test]
async fn a_pinned_key_is_found_among_all_that_the_server_has() {
    let bench = Bench::start();
    let rsa = bench.sshd.add_host_key("rsa");
    let (ed25519, ecdsa) = (bench.sshd.fingerprint("host_ed25519"), bench.sshd.fingerprint("host_ecdsa"));
    for pinned in [&ed25519, &ecdsa, &rsa] {
        let (answer, offered) = ask(&bench, HostKeyCheck::Fingerprint(pinned.clone())).await;
        assert_eq!((answer, offered.as_ref()), (Ok(()), Some(pinned)));
    }
    // Padded, as some tools write it.
    assert_eq!(ask(&bench, HostKeyCheck::Fingerprint(format!("{rsa}="))).await.0, Ok(()));

    let another = bench.sshd.fingerprint("user");
    let message = ask(&bench, HostKeyCheck::Fingerprint(another.clone())).await.0.unwrap_err();
    for key in [&ed25519, &ecdsa, &rsa, &another] {
        assert!(message.contains(key.as_str()), "{message}");
    }
    assert!(message.contains("ssh-rsa") && message.contains("ecdsa-sha2-nistp256"), "{message}");
}

#[tokio::test]
async fn a_reconnection_asks_for_the_pinned_kind_at_once() {
    let bench = Bench::start();
    let ecdsa = bench.sshd.fingerprint("host_ecdsa");
    let environment = bench.environment_with(|ssh| ssh.host_key = HostKeyCheck::Fingerprint(ecdsa));
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    let before = bench.sshd.connection_count();
    bench.sshd.cut_connections();
    assert_eq!(environment.server.clean_up("42").await, Ok(()));
    assert_eq!(bench.sshd.connection_count(), before + 1);
}

#[tokio::test]
async fn a_known_hosts_file_is_read_as_openssh_reads_it() {
    let bench = Bench::start();
    let (port, key, ecdsa) = (bench.sshd.port, public_key(&bench, "host_ed25519"), public_key(&bench, "host_ecdsa"));
    let another = public_key(&bench, "user");
    let host = format!("[127.0.0.1]:{port}");
    for lines in [
        format!("{host} {key}"),
        format!("# all benches\r\n\r\n{host} {}\r\n", key.trim()),
        format!("\u{feff}{host} {key}"),
        format!("[127.0.0.*]:{port} {key}"),
        format!("[bench]:{port},{host} {key}"),
        // Known by another of its kinds only, which is asked for; and by an authority that does not count.
        format!("{host} {ecdsa}"),
        format!("@cert-authority * {another}\n{host} {key}"),
        format!("nonsense\n{host} ssh-ed25519 !!!\n{host} {key}"),
        format!("@revoked {host} {another}\n{host} {key}"),
    ] {
        assert_eq!(ask(&bench, known_hosts(&bench, &lines)).await.0, Ok(()), "{lines}");
    }
    let fingerprint = bench.sshd.fingerprint("host_ed25519");
    for (lines, words) in [
        (String::new(), "unknown"),
        (format!("127.0.0.1 {key}"), "unknown"),
        (format!("[127.0.0.*]:{port},!{host} {key}"), "unknown"),
        (format!("@cert-authority [*]:{port} {another}"), "@cert-authority"),
        (format!("{host} {another}"), "has another one for it"),
        (format!("@revoked * {key}\n{host} {key}"), "revoked"),
    ] {
        let message = ask(&bench, known_hosts(&bench, &lines)).await.0.unwrap_err();
        assert!(message.contains(words) && message.contains(&fingerprint), "{lines}: {message}");
    }
    let message = ask(&bench, HostKeyCheck::KnownHosts(PathBuf::from("/nonexistent"))).await.0.unwrap_err();
    assert!(message.contains("can't read ssh.known_hosts"), "{message}");
}

#[tokio::test]
async fn hashed_names_are_known() {
    let bench = Bench::start();
    let hashed = bench.sshd.known_hosts("host_ed25519");
    let status = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&hashed).output().unwrap().status;
    assert!(status.success() && std::fs::read_to_string(&hashed).unwrap().starts_with("|1|"));
    assert_eq!(ask(&bench, HostKeyCheck::KnownHosts(hashed)).await.0, Ok(()));
}

#[tokio::test]
async fn everybody_else_is_told_of_a_wrong_host_key_without_an_address() {
    let bench = Bench::start();
    let another = bench.sshd.fingerprint("user");
    let environment = bench.environment_with(|ssh| ssh.host_key = HostKeyCheck::Fingerprint(another));
    let error = environment.repository.branches().await.unwrap_err();
    assert_eq!(error.to_string(), "bench-a can't be reached over SSH: its host key is not the trusted one");
}
