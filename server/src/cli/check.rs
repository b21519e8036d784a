//! `testarena check`: tries everything that the server will need, and says how to mend what does not work.
//! It changes nothing: no migration, no job.

use super::CommandResult;
use super::say::{Unsaid, say};
use crate::config::{Config, EnvironmentConfig};
use crate::remote::Environment;
use crate::store::migrations::find_newer;
use crate::store::{DatabaseUrl, Store, installation, rights};
use axum::http::Uri;
use protocol::api::{Check, CheckedPart};
use std::io;
use std::net::IpAddr;
use std::path::Path;

pub(super) async fn run(file: &Path) -> CommandResult {
    let config = Config::load(file)?;
    say(format_args!("Configuration {}", file.display()))?;
    let (database, instance) = check_database(&config).await;
    let mut all_well = show("", &[database, check_storage(&config), check_public_url(&config)])?;
    if config.environments.is_empty() {
        say("No environment is configured, so nothing can be run; add an [[environments]] table.")?;
    }
    for environment in config.environments {
        let name = environment.name.clone();
        all_well &= show(&format!("{name}: "), &check_environment(environment, &instance).await)?;
    }
    if all_well { Ok(()) } else { Err("not everything works yet; see above".into()) }
}

/// What a check found.
struct Finding {
    /// What was tried, in a few words.
    what: String,
    ok: bool,
    /// What came of it; of a failure, how to mend it.
    message: String,
}

/// Prints findings; whether all of them are good.
fn show(prefix: &str, findings: &[Finding]) -> Result<bool, Unsaid> {
    for Finding { what, ok, message } in findings {
        say(format_args!("{} {prefix}{what}: {message}", if *ok { "ok    " } else { "FAILED" }))?;
    }
    Ok(findings.iter().all(|finding| finding.ok))
}

fn finding(what: String, result: Result<String, String>) -> Finding {
    Finding { what, ok: result.is_ok(), message: result.unwrap_or_else(|why| why) }
}

/// Also tells the instance id under which remote servers are to be asked; a made-up one before the first start.
async fn check_database(config: &Config) -> (Finding, String) {
    let made_up = || uuid::Uuid::new_v4().to_string();
    let what = "Database".to_owned();
    if let DatabaseUrl::Sqlite(path) = &config.database_url
        && !path.exists()
    {
        let folder = path.parent().unwrap_or(Path::new("."));
        let made = format!("{} does not exist yet; the first start makes it", path.display());
        let why = |error| format!("{} can't be made: {error}; make its folder writable for this user", path.display());
        return (finding(what, try_to_write(folder).map(|()| made).map_err(why)), made_up());
    }
    let store = Store::open(&config.database_url);
    if let Err(error) = store.ping().await {
        let why = format!("{error}; is database_url right, is the database running, does the user have access?");
        return (finding(what, Err(why)), made_up());
    }
    let instance = store.read(installation::find_instance_id).await.ok().flatten();
    if instance.is_some()
        && let Ok(Some(why)) = store.read(find_newer).await
    {
        return (finding(what, Err(why)), instance.unwrap_or_else(made_up));
    }
    if let Err(error) = rights::try_rights(&store, instance.is_some()).await {
        let why = format!("{error}; {}", advice(&config.database_url));
        return (finding(what, Err(why)), instance.unwrap_or_else(made_up));
    }
    match instance {
        Some(instance) => (finding(what, Ok("answers and can be written".to_owned())), instance),
        None => (finding(what, Ok("answers and can be written; the first start fills it".to_owned())), made_up()),
    }
}

fn advice(url: &DatabaseUrl) -> &'static str {
    match url {
        DatabaseUrl::Sqlite(_) => "make the file and its folder writable for the user who runs testarena",
        DatabaseUrl::Postgres(_) => {
            "the user must own the database or be granted CREATE on its schema and all rights on its tables, at a \
             server that is no standby"
        }
    }
}

/// Whether people can use the address that they are given.
fn check_public_url(config: &Config) -> Finding {
    let url = &config.public_url;
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let is_local = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    let result = if address.is_some_and(|address| address.is_unspecified()) {
        Err(format!("{url} is no address that anybody can open; set public_url to the one that people use"))
    } else if is_local && !config.listen.ip().is_loopback() {
        Ok(format!("{url} works on this machine only; set public_url to the address that people use elsewhere"))
    } else if url.starts_with("http://") && !is_local {
        Ok(format!("{url}; it is not https, so that passwords can be read on their way: put TLS in front"))
    } else if url.starts_with("https://") && config.trusted_proxies.is_empty() {
        Ok(format!("{url}; name the proxy that does its TLS in trusted_proxies, so that people are told apart"))
    } else {
        Ok(url.clone())
    };
    finding("Public URL".to_owned(), result)
}

fn check_storage(config: &Config) -> Finding {
    let folder = &config.data_dir;
    let result = try_to_write(folder).map(|()| "can be written".to_owned());
    let mended = |error| format!("{error}; make the folder writable for the user who runs testarena");
    finding(format!("Storage {}", folder.display()), result.map_err(mended))
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        // Made at the first start; what counts now is the nearest folder there is.
        return match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => try_to_write(parent),
            _ => Ok(()),
        };
    }
    tempfile::tempfile_in(folder).map(drop)
}

async fn check_environment(config: EnvironmentConfig, instance: &str) -> Vec<Finding> {
    match Environment::new(config) {
        Ok(environment) => {
            let checks = Box::pin(environment.check(instance)).await;
            checks
                .into_iter()
                .map(|Check { what, ok, detail }| Finding { what: name_of(what).to_owned(), ok, message: detail })
                .collect()
        }
        Err(why) => vec![finding("Configuration".to_owned(), Err(why))],
    }
}

const fn name_of(part: CheckedPart) -> &'static str {
    match part {
        CheckedPart::Http => "HTTP API",
        CheckedPart::Ssh => "SSH",
        CheckedPart::Repository => "Repository",
        CheckedPart::Scenarios => "Scenarios",
        CheckedPart::Workspace => "Workspaces",
        CheckedPart::Clock => "Clock",
    }
}
