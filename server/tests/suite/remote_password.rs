//! Signing in over SSH with a password, against a server that takes it plainly or only as an answer to a question.
//! It is a small one of its own, since OpenSSH's would want a system user with a password.

use crate::remote_environment::environment_config;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, run_stream};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use server::config::{HostKeyCheck, Secret, SshCredential};
use server::remote::{Environment, QuestionError, Remote};
use std::sync::Arc;
use std::time::Duration;

const PASSWORD: &str = "correct horse";

/// Lets `PASSWORD` in by one method and runs no command: it answers each with success, or with no status at all.
#[derive(Clone, Copy)]
struct Gate {
    method: MethodKind,
    ends_with_status: bool,
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
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        if self.ends_with_status {
            session.exit_status_request(channel, 0)?;
        }
        session.close(channel)
    }
}

impl Gate {
    fn judge(self, method: MethodKind, password: &str) -> Auth {
        if method == self.method && password == PASSWORD { Auth::Accept } else { Auth::reject() }
    }

    /// An environment that knows this server and has the password given.
    async fn environment(self, password: &str) -> Environment {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = environment_config("http://127.0.0.1:1".into());
        config.ssh.port = listener.local_addr().unwrap().port();
        config.ssh.credential = SshCredential::Password(Secret::new(password.into()));
        config.ssh.host_key = HostKeyCheck::Fingerprint(fingerprint);
        let server = Arc::new(Config {
            keys: vec![key],
            methods: MethodSet::from(&[self.method][..]),
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(run_stream(Arc::clone(&server), stream, self));
            }
        });
        Environment::new(config).unwrap()
    }
}

#[tokio::test]
async fn a_password_lets_us_in_plainly_or_as_an_answer() {
    for method in [MethodKind::Password, MethodKind::KeyboardInteractive] {
        let gate = Gate { method, ends_with_status: true };
        assert_eq!(gate.environment(PASSWORD).await.server.clean_up("42").await, Ok(()));
        let refused = gate.environment("wrong").await.repository.branches().await;
        let Err(QuestionError::Unreachable(message)) = refused else { panic!("{refused:?}") };
        assert!(message.contains("did not let user \"tests\" in") && message.contains("password_env"), "{message}");
        assert!(!message.contains("wrong"), "{message}");
    }
}

#[tokio::test]
async fn a_command_without_an_exit_status_is_no_success() {
    let gate = Gate { method: MethodKind::Password, ends_with_status: false };
    let error = gate.environment(PASSWORD).await.server.clean_up("42").await.unwrap_err();
    assert!(error.to_string().contains("ended before"), "{error}");
}
