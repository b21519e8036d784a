//! What an OpenSSH server in a test can't show: sign-in with a password, which would want a system user with one,
//! and servers that end commands oddly. So this has a small SSH server of its own.

use crate::remote_environment::environment_config;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, run_stream};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Sig};
use server::config::{HostKeyCheck, Secret, SshCredential};
use server::remote::{Environment, QuestionError, Remote};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const PASSWORD: &str = "correct horse";

/// Lets `PASSWORD` in by one method and runs no command: each ends as it is told to.
#[derive(Clone)]
struct Gate {
    method: MethodKind,
    end: End,
    signalled: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    WithoutStatus,
    Never,
    /// There is no answer to the wish for a channel, in which it would be run.
    NotBegun,
}

impl Handler for Gate {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(self.judge(MethodKind::Password, password))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(answer) = response.and_then(|mut answers| answers.next()) else {
            let prompts = vec![("Password: ".into(), false)].into();
            return Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts });
        };
        Ok(self.judge(MethodKind::KeyboardInteractive, &String::from_utf8_lossy(&answer)))
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.end == End::NotBegun {
            std::future::pending::<()>().await;
        }
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        if self.end == End::Success {
            // Of a commit that nobody has it says so.
            let fails = String::from_utf8_lossy(command).contains(&"0".repeat(40));
            session.exit_status_request(channel, u32::from(fails))?;
        }
        if self.end != End::Never {
            session.close(channel)?;
        }
        Ok(())
    }

    async fn signal(&mut self, _: ChannelId, signal: Sig, _: &mut Session) -> Result<(), russh::Error> {
        assert!(matches!(signal, Sig::TERM));
        self.signalled.notify_one();
        Ok(())
    }
}

impl Gate {
    fn new(method: MethodKind, end: End) -> Self {
        Self { method, end, signalled: Arc::default() }
    }

    fn judge(&self, method: MethodKind, password: &str) -> Auth {
        if method == self.method && password == PASSWORD { Auth::Accept } else { Auth::reject() }
    }

    /// An environment that knows this server and has the password given.
    async fn environment(&self, password: &str) -> Environment {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = environment_config("http://127.0.0.1:1".into());
        config.ssh.port = listener.local_addr().unwrap().port();
        config.ssh.credential = SshCredential::Password(Secret::new(password.into()));
        if self.end == End::Never {
            config.ssh.timeout = Duration::from_millis(500);
        }
        config.ssh.host_key = HostKeyCheck::Fingerprint(fingerprint);
        let server = Arc::new(Config {
            keys: vec![key],
            methods: MethodSet::from(&[self.method][..]),
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        let gate = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(run_stream(Arc::clone(&server), stream, gate.clone()));
            }
        });
        Environment::new(config).unwrap()
    }
}

#[tokio::test]
async fn a_password_lets_us_in_plainly_or_as_an_answer() {
    for method in [MethodKind::Password, MethodKind::KeyboardInteractive] {
        let gate = Gate::new(method, End::Success);
        let commit = "a1".repeat(20);
        assert_eq!(gate.environment(PASSWORD).await.repository.commit_is_present(&commit).await, Ok(true));
        let refused = gate.environment("wrong").await.repository.branches().await;
        let Err(QuestionError::Unreachable(failure)) = refused else { panic!("{refused:?}") };
        let message = failure.private();
        assert!(message.contains("did not let user \"tests\" in") && message.contains("password_env"), "{message}");
        assert!(!message.contains("wrong"), "{message}");
    }
}

#[tokio::test]
async fn a_command_without_an_exit_status_is_no_success() {
    let gate = Gate::new(MethodKind::Password, End::WithoutStatus);
    let error = gate.environment(PASSWORD).await.server.clean_up("42").await.unwrap_err();
    assert!(error.private().contains("ended before"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_falls_silent_after_the_sign_in_is_given_up() {
    let environment = Gate::new(MethodKind::Password, End::NotBegun).environment(PASSWORD).await;
    let cleaning = tokio::time::timeout(Duration::from_secs(30), environment.server.clean_up("42"));
    assert!(cleaning.await.expect("it is bounded").is_err());
}

#[tokio::test]
async fn a_command_past_its_time_is_told_to_end() {
    let gate = Gate::new(MethodKind::Password, End::Never);
    let error = gate.environment(PASSWORD).await.server.clean_up("42").await.unwrap_err();
    assert!(error.private().contains("did not end within 0.5 s"), "{error:?}");
    tokio::time::timeout(Duration::from_secs(20), gate.signalled.notified()).await.unwrap();
}
