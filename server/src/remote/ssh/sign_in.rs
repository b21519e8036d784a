//! Signing in at a remote test server's SSH, with a key or a password.
//! Some servers take a password only as the answer to a question.

use super::guard::HostKeyGuard;
use super::{SshError, broken, failed};
use crate::config::{Secret, SshConfig, SshCredential};
use protocol::text;
use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Most questions that a sign-in may ask before it counts as failed.
const MAX_SIGN_IN_ROUNDS: usize = 4;

pub(super) async fn sign_in(handle: &mut Handle<HostKeyGuard>, config: &SshConfig) -> Result<(), SshError> {
    let user = config.user.as_str();
    let is_let_in = match &config.credential {
        SshCredential::IdentityFile(path) => offer_key(handle, user, path).await?,
        SshCredential::Password(password) => offer_password(handle, user, password).await.map_err(broken)?,
    };
    if is_let_in {
        return Ok(());
    }
    let what = match &config.credential {
        SshCredential::IdentityFile(path) => {
            format!("the key {}; is its public half in the server's authorized_keys?", path.display())
        }
        SshCredential::Password(_) => "the password; see ssh.password_env".to_owned(),
    };
    let end = if handle.is_closed() { " (it closed the connection)" } else { "" };
    failed("it did not let TestArena sign in", format!("the SSH server did not let user {user:?} in with {what}{end}"))
}

async fn offer_key(handle: &mut Handle<HostKeyGuard>, user: &str, path: &Path) -> Result<bool, SshError> {
    let key = Arc::new(load_identity(path).await?);
    let hash = handle.best_supported_rsa_hash().await.map_err(broken)?.flatten();
    // A server that does not say what it takes is at least as new as rsa-sha2-256.
    let key = PrivateKeyWithHashAlg::new(key, hash.or(Some(HashAlg::Sha256)));
    Ok(handle.authenticate_publickey(user, key).await.map_err(broken)?.success())
}

async fn offer_password(
    handle: &mut Handle<HostKeyGuard>,
    user: &str,
    password: &Secret,
) -> Result<bool, russh::Error> {
    match handle.authenticate_password(user, password.expose()).await? {
        AuthResult::Success => Ok(true),
        AuthResult::Failure { remaining_methods, .. }
            if remaining_methods.contains(&MethodKind::KeyboardInteractive) =>
        {
            answer_questions(handle, user, password).await
        }
        AuthResult::Failure { .. } => Ok(false),
    }
}

async fn answer_questions(
    handle: &mut Handle<HostKeyGuard>,
    user: &str,
    password: &Secret,
) -> Result<bool, russh::Error> {
    let mut reply = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..MAX_SIGN_IN_ROUNDS {
        let KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } = reply else { break };
        let answers = prompts.iter().map(|_| password.expose().to_owned()).collect();
        reply = handle.authenticate_keyboard_interactive_respond(answers).await?;
    }
    Ok(matches!(reply, KeyboardInteractiveAuthResponse::Success))
}

/// Reads the key anew for each connection, so that an administrator's change holds at once.
pub async fn load_identity(path: &Path) -> Result<PrivateKey, SshError> {
    let wrong = |why: String| SshError::failed("its SSH is not set up right here", why);
    let read = tokio::fs::read(path).await.and_then(|bytes| text::of_file(bytes).map_err(io::Error::other));
    let text = read.map_err(|error| wrong(format!("can't read ssh.identity_file {}: {error}", path.display())))?;
    // As an editor on Windows leaves it.
    let text = text.replace("\r\n", "\n");
    russh::keys::decode_secret_key(&text, None).map_err(|error| {
        let path = path.display();
        wrong(match error {
            russh::keys::Error::KeyIsEncrypted => {
                format!("ssh.identity_file {path} is encrypted; give TestArena a key without a passphrase")
            }
            error => format!("ssh.identity_file {path} is no private key that can be read: {error}"),
        })
    })
}
