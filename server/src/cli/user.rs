//! `testarena user …`: the way to the first administrator, and out of a forgotten password.
//! Works on the database directly; a running server notices within a second.

use super::CommandResult;
use super::password::ask_password;
use super::say::say;
use crate::auth::{Hasher, check_rules};
use crate::config::Config;
use crate::state::open_store;
use crate::store::Store;
use crate::store::audit::{AuditEntry, insert_audit_entry};
use crate::store::users::{self, NewPassword, NewUser, Refused, User};
use clap::Subcommand;
use protocol::api::{AuditAction, Via};
use protocol::{Timestamp, UserId, names};
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; the password is asked for, or read from standard input
    Add {
        name: String,
        /// May see and do everything
        #[arg(long)]
        admin: bool,
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Set a user's password and end the user's sessions
    Passwd {
        name: String,
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// List the users
    List {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Remove a user; the user's jobs stay, shown under the name
    Remove {
        name: String,
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

pub(super) async fn run(command: UserCommand) -> CommandResult {
    match command {
        UserCommand::Add { name, admin, config } => {
            let store = open(&config).await?;
            add_user(&store, &name, admin, read_password().await?).await?;
            say(format_args!("Added {}.", name.to_ascii_lowercase()))?;
        }
        UserCommand::Passwd { name, config } => {
            let store = open(&config).await?;
            let user = find(&store, &name).await?;
            set_password(&store, user.id, read_password().await?).await?;
            say(format_args!("Changed the password of {}.", user.username))?;
        }
        UserCommand::List { config } => {
            for user in open(&config).await?.read(users::list_users).await? {
                let role = if user.is_admin { "admin" } else { "user" };
                let last = user
                    .last_login_at
                    .map_or("never signed in at the page".to_owned(), |at| format!("last signed in {at}"));
                say(format_args!("{:<32} {role:<5} {last}", user.username))?;
            }
        }
        UserCommand::Remove { name, config } => {
            let store = open(&config).await?;
            let user = find(&store, &name).await?;
            remove_user(&store, user.id).await?;
            say(format_args!("Removed {}.", user.username))?;
        }
    }
    Ok(())
}

async fn open(config: &Path) -> Result<Store, Box<dyn std::error::Error + Send + Sync>> {
    Ok(open_store(&Config::load(config)?).await?)
}

/// Adds a user whose password need not be changed at the first sign-in: whoever is at the command line chose it.
pub async fn add_user(store: &Store, name: &str, is_admin: bool, password: String) -> CommandResult {
    let username = name.to_ascii_lowercase();
    if !names::is_username(&username) {
        return Err("a user name has 1 to 32 of a-z, 0-9, '.', '_' and '-', a letter or digit first".into());
    }
    check_rules(&password)?;
    let password_hash = Hasher::default().hash(password).await?;
    let new = NewUser { username: username.clone(), password_hash, is_admin, must_change_password: false };
    let now = Timestamp::now();
    let added = store.write(move |connection| {
        let added = users::insert_user(connection, new, now)?;
        if let Some(user) = &added {
            let detail = json!({ "username": user.username, "is_admin": user.is_admin });
            insert_audit_entry(connection, audit(AuditAction::CreateUser, user.id, &detail), now)?;
        }
        Ok(added)
    });
    match added.await? {
        Some(_) => Ok(()),
        None => Err(format!("there is a user {username} already").into()),
    }
}

async fn set_password(store: &Store, id: UserId, password: String) -> CommandResult {
    check_rules(&password)?;
    let hash = Hasher::default().hash(password).await?;
    let now = Timestamp::now();
    let changed = store.write(move |connection| {
        let new = NewPassword { hash, must_change: false, kept_session: None };
        let changed = users::set_password(connection, id, new)?;
        if changed {
            insert_audit_entry(connection, audit(AuditAction::ChangePassword, id, &json!({})), now)?;
        }
        Ok(changed)
    });
    if changed.await? { Ok(()) } else { Err("the user has just been removed".into()) }
}

async fn remove_user(store: &Store, id: UserId) -> CommandResult {
    let now = Timestamp::now();
    let removed = store.write(move |connection| {
        let removed = users::remove_user(connection, id, now)?;
        if let Ok(user) = &removed {
            let detail = json!({ "username": user.username });
            insert_audit_entry(connection, audit(AuditAction::DeleteUser, id, &detail), now)?;
        }
        Ok(removed)
    });
    match removed.await? {
        Ok(_) => Ok(()),
        Err(Refused::LastAdmin) => {
            Err("this is the last administrator: add another one first, with `testarena user add --admin`".into())
        }
        Err(_) => Err("the user has just been removed".into()),
    }
}

fn audit(action: AuditAction, user: UserId, detail: &Value) -> AuditEntry {
    AuditEntry::by_nobody(Via::Cli, action, format!("user:{user}"), detail)
}

async fn find(store: &Store, name: &str) -> Result<User, Box<dyn std::error::Error + Send + Sync>> {
    let login = name.to_ascii_lowercase();
    let found = store.read(move |connection| users::find_user_by_login(connection, &login)).await?;
    found.ok_or_else(|| format!("there is no user {name}").into())
}

/// Asked for twice at a terminal, else the first line of standard input.
async fn read_password() -> io::Result<String> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        // As PowerShell pipes it.
        return Ok(line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = ask_password("Password: ").await?;
    if ask_password("Again: ").await? != password {
        return Err(io::Error::other("the two passwords differ"));
    }
    Ok(password)
}
