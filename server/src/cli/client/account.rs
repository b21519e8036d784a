//! `login` and `logout`: a token named after this machine, made, kept, and deleted again.

use super::api::{Api, Credentials};
use super::failure::Failure;
use super::out::{Out, note};
use super::settings::{self, Kept};
use super::{CodeResult, DONE, Format};
use crate::cli::password::ask_password;
use crate::config::{Secret, Variables};
use clap::Args;
use protocol::TokenId;
use protocol::api::{CreateTokenRequest, CreatedToken, MAX_TOKEN_NAME_CHARS, User};
use std::io::{self, BufRead, IsTerminal, Write};

#[derive(Args)]
pub(in crate::cli) struct LoginOptions {
    /// Where the server is; asked for, where it is not known
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    pub(super) format: Format,
}

pub(super) async fn login(options: LoginOptions, variables: &Variables) -> CodeResult {
    let out = Out::new(options.format.json);
    let before = settings::read()?;
    let url = match (options.url, settings::trimmed(variables, "TESTARENA_URL"), &before.url) {
        (Some(url), _, _) => settings::read_url("--url", &url)?,
        (None, Some(url), _) => settings::read_url("TESTARENA_URL", &url)?,
        (None, None, Some(url)) => url.clone(),
        (None, None, None) if io::stdin().is_terminal() => {
            settings::read_url("Address", &ask("Address, such as https://tests.example.org: ")?)?
        }
        (None, None, None) => {
            return Err(Failure::Usage("say where to sign in: with --url, or in TESTARENA_URL".to_owned()));
        }
    };
    warn_of_listeners(&url);
    let (username, password) = ask_who().await?;
    let api = Api::new(&url, Credentials::Password { username, password: Secret::new(password) })?;
    let request = CreateTokenRequest { name: machine_name(), scope: None, expires_in_days: None };
    let made: CreatedToken = api.post("/api/tokens").json(&request).send().await?.read()?;
    let TokenId(id) = made.about.id;
    let kept = Kept { url: Some(url.clone()), token: Some(made.token.clone()), token_id: Some(id) };
    let file = match settings::keep(&kept) {
        Ok(file) => file,
        Err(failure) => {
            // A token that nobody has is of no use to anybody.
            let _left = api.delete(&format!("/api/tokens/{id}")).send().await;
            return Err(failure);
        }
    };
    // The new token is kept; that the old one may be gone already is as good.
    if before.token.is_some() && !matches!(delete_token(&before).await, Ok(true)) {
        let url = before.url.as_deref().unwrap_or_default();
        note(format_args!("the token that was kept for {url} may still be valid; delete it at {url}/account"));
    }
    let reply = Api::new(&url, Credentials::Token(Secret::new(made.token)))?.get("/api/me").send().await?;
    out.body(reply.text()?)?;
    let me: User = reply.read()?;
    let name = &made.about.name;
    out.line(format!("Signed in at {url} as {}. The token \"{name}\" is kept in {}.", me.username, file.display()))?;
    out.line("Next: `testarena env list`, `testarena scenarios --branch B`, `testarena job submit --branch B --scenario PATTERN`")?;
    out.line("Elsewhere, such as in a pipeline: set TESTARENA_URL and TESTARENA_TOKEN, with a token of its own.")?;
    if me.must_change_password {
        note(format_args!("your password was set by an administrator; choose your own at {url}/account"));
    }
    for variable in ["TESTARENA_URL", "TESTARENA_TOKEN"].iter().filter(|name| variables.get(name).is_some()) {
        note(format_args!("{variable} is set, and wins over the file"));
    }
    Ok(DONE)
}

/// The file goes in any case: without it nobody here has the token any more.
pub(super) async fn logout(format: &Format) -> CodeResult {
    let kept = settings::read()?;
    if kept.token.is_none() {
        note("nobody is signed in here");
        return Ok(DONE);
    }
    let deleted = delete_token(&kept).await;
    let file = settings::file()?;
    let cant = |error| Failure::Local(format!("{} can't be removed: {error}", file.display()));
    std::fs::remove_file(&file).map_err(cant)?;
    let url = kept.url.unwrap_or_default();
    let told = format!("{} is removed, but the token may still be valid; delete it at {url}/account", file.display());
    match deleted {
        Ok(true) => {}
        Ok(false) => note(told),
        Err(failure) => return Err(failure.and(told)),
    }
    Out::new(format.json).line(format!("Signed out of {url}."))?;
    Ok(DONE)
}

/// `false`: it is not known which one to delete.
async fn delete_token(kept: &Kept) -> Result<bool, Failure> {
    let (Some(url), Some(token), Some(id)) = (&kept.url, &kept.token, kept.token_id) else {
        return Ok(false);
    };
    let api = Api::new(url, Credentials::Token(Secret::new(token.clone())))?;
    match api.delete(&format!("/api/tokens/{id}")).send().await {
        Ok(_) => Ok(true),
        // It was deleted, or ran out, before.
        Err(failure) if matches!(failure.code(), Some("unauthenticated" | "not_found")) => Ok(true),
        Err(failure) => Err(failure),
    }
}

/// Name and password: asked for at a terminal, else the first two lines of standard input.
async fn ask_who() -> Result<(String, String), Failure> {
    let unreadable = |error: io::Error| Failure::Usage(format!("no password could be read: {error}"));
    let (username, password) = if io::stdin().is_terminal() {
        (ask("Username: ")?, ask_password("Password: ").await.map_err(unreadable)?)
    } else {
        (read_line()?, read_line()?)
    };
    if username.is_empty() || password.is_empty() {
        return Err(Failure::Usage(
            "a user name and a password are needed: at a terminal, or as two lines of standard input".to_owned(),
        ));
    }
    // What stands behind the colon would be taken for the password.
    if username.contains(':') {
        return Err(Failure::Usage("no user name has a colon".to_owned()));
    }
    Ok((username, password))
}

fn ask(words: &str) -> Result<String, Failure> {
    // Who asked for the output alone is asked all the same.
    let _unseen = write!(io::stderr(), "{words}").and_then(|()| io::stderr().flush());
    Ok(read_line()?.trim().to_owned())
}

/// Without its end, and without what some editors put at the beginning of a file.
fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::Usage(format!("standard input can't be read: {error}")))?;
    Ok(line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).to_owned())
}

fn warn_of_listeners(url: &str) {
    let host = url.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let is_here = |host: &str| ["localhost", "127.", "[::1]"].iter().any(|here| host.starts_with(here));
    if host.is_some_and(|host| !is_here(host)) {
        note(format_args!("{url} is not https: who listens on the way reads the password"));
    }
}

/// What a user recognises the token by.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_TOKEN_NAME_CHARS).collect();
    if name.is_empty() { "command line".to_owned() } else { name }
}
