//! A real OpenSSH server for tests, with keys of its own and one process per connection,
//! so that a test can count connections and cut one.

use server::config::{EnvironmentConfig, HostKeyCheck, SshCredential};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub struct Sshd {
    pub folder: TempDir,
    pub port: u16,
    connections: Arc<Mutex<Vec<Child>>>,
}

impl Sshd {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        make_key(&path("host_ed25519"), "ed25519", "");
        make_key(&path("host_ecdsa"), "ecdsa", "");
        make_key(&path("user"), "ed25519", "");
        std::fs::copy(path("user.pub"), path("authorized_keys")).unwrap();
        let at = folder.path().display();
        let config = format!(
            "HostKey {at}/host_ed25519\nHostKey {at}/host_ecdsa\nAuthorizedKeysFile {at}/authorized_keys\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\nPermitRootLogin yes\n\
             SetEnv HOME={at}/home\n"
        );
        std::fs::create_dir(path("home")).unwrap();
        std::fs::write(path("sshd_config"), config).unwrap();
        // Wanted by sshd when it runs as root; a service manager would have made it.
        if current_user() == "root" {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::default();
        let (config, children) = (path("sshd_config"), Arc::clone(&connections));
        std::thread::spawn(move || accept(&listener, &config, &children));
        Self { folder, port, connections }
    }

    /// Points an environment at this server, with everything right.
    pub fn configure(&self, config: &mut EnvironmentConfig) {
        config.ssh.port = self.port;
        config.ssh.user = current_user();
        config.ssh.credential = SshCredential::IdentityFile(self.path("user"));
        config.ssh.host_key = HostKeyCheck::KnownHosts(self.known_hosts("host_ed25519"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One more host key, of a kind that the server has not yet.
    pub fn add_host_key(&self, kind: &str) -> String {
        let name = format!("host_{kind}");
        make_key(&self.path(&name), kind, "");
        self.reconfigure(&format!("HostKey {}", self.path(&name).display()));
        self.fingerprint(&name)
    }

    /// A `known_hosts` file with one of the server's keys.
    pub fn known_hosts(&self, host_key: &str) -> PathBuf {
        let key = std::fs::read_to_string(self.path(&format!("{host_key}.pub"))).unwrap();
        let file = self.path(&format!("known_hosts_{host_key}"));
        std::fs::write(&file, format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
        file
    }

    /// As ssh-keygen prints it.
    pub fn fingerprint(&self, host_key: &str) -> String {
        let output = Command::new("ssh-keygen").arg("-lf").arg(self.path(host_key)).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    /// Lines that bash runs before each command, as a talkative administrator's `~/.bashrc`.
    pub fn bashrc(&self, lines: &str) {
        std::fs::write(self.path("home/.bashrc"), lines).unwrap();
    }

    /// Adds lines to the server's own configuration, which holds for connections to come.
    pub fn reconfigure(&self, lines: &str) {
        let file = self.path("sshd_config");
        let config = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{lines}\n{config}")).unwrap();
    }

    pub fn connection_count(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Stops all connections' processes, so that they neither answer nor close, as a lost network would.
    pub fn freeze_connections(&self) {
        for child in self.connections.lock().unwrap().iter() {
            let status = Command::new("kill").args(["-STOP", &child.id().to_string()]).status().unwrap();
            assert!(status.success());
        }
    }

    /// Ends all connections without a word, as a crash or a reboot would.
    pub fn cut_connections(&self) {
        for child in self.connections.lock().unwrap().iter_mut() {
            // The monitor's children see its end and go too.
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut_connections();
    }
}

fn accept(listener: &TcpListener, config: &Path, connections: &Mutex<Vec<Child>>) {
    for stream in listener.incoming() {
        let input = OwnedFd::from(stream.unwrap());
        let output = input.try_clone().unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.arg("-i").arg("-e").arg("-f").arg(config).stdin(input).stdout(output).stderr(Stdio::null());
        // A server whose test is over has no configuration any more.
        let Ok(child) = command.spawn() else { return };
        connections.lock().unwrap().push(child);
    }
}

pub fn make_key(path: &Path, kind: &str, passphrase: &str) {
    let status =
        Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(path).status().unwrap();
    assert!(status.success());
}

fn current_user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
