//! From the file and the environment variables to the checked configuration.
//! A variable wins over the file's key of the same name.

use super::file::File;
use super::values;
use super::variables::name_for_key;
use super::{Config, ConfigError, Variables};
use crate::store::DatabaseUrl;
use protocol::{size, text};
use std::collections::HashSet;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Config {
    /// Reads the file, `.env` and the process's environment.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let variables = Variables::read()?;
        let unreadable = |error: &dyn Error| ConfigError(format!("{} can't be read: {error}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
        let text = text::of_file(bytes).map_err(|error| unreadable(&error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder, &variables)
            .map_err(|ConfigError(why)| ConfigError(format!("{}: {why}", path.display())))
    }

    /// Checks a file's text; relative paths in it are relative to `folder`.
    pub fn parse(text: &str, folder: &Path, variables: &Variables) -> Result<Self, ConfigError> {
        let mut file: File = toml::from_str(text)
            .map_err(|error: toml::de::Error| ConfigError(text::wrong_at(text, error.span(), error.message())))?;
        if file.database_url.as_deref().is_some_and(carries_password) {
            return Err(ConfigError(
                "database_url: a password does not belong into the file; give the whole URL in TESTARENA_DATABASE_URL"
                    .into(),
            ));
        }
        overlay(&mut file, variables)?;
        variables.refuse_unknown(&variables_named_by(&file))?;
        let loader = Loader { folder, variables };
        loader.build(&file)
    }
}

/// What every part of the loading needs to know.
pub(super) struct Loader<'a> {
    pub(super) folder: &'a Path,
    pub(super) variables: &'a Variables,
}

/// The top-level limits, which hold for every environment that has none of its own.
pub(super) struct Limits {
    pub(super) job_timeout: Duration,
    pub(super) waiting_timeout: Duration,
    pub(super) cleanup_give_up: Duration,
    pub(super) retry_max_interval: Duration,
    pub(super) remote_retention: Option<Duration>,
    pub(super) http_timeout: Duration,
}

impl Loader<'_> {
    fn build(&self, file: &File) -> Result<Config, ConfigError> {
        let listen: SocketAddr = self.value("listen", file.listen.as_deref(), "127.0.0.1:3000", |text| {
            text.parse().map_err(|_| format!("\"{text}\" is no address with a port, such as 127.0.0.1:3000"))
        })?;
        let own_url = format!("http://{listen}");
        let limits = self.limits(file)?;
        let environments =
            file.environments.iter().map(|raw| self.environment(raw, &limits)).collect::<Result<Vec<_>, _>>()?;
        let mut names = HashSet::new();
        if let Some(twice) = environments.iter().find(|environment| !names.insert(&environment.name)) {
            return Err(ConfigError(format!("two environments are called \"{}\"", twice.name)));
        }
        Ok(Config {
            listen,
            public_url: self.value("public_url", file.public_url.as_deref(), &own_url, values::origin)?,
            trusted_proxies: self.trusted_proxies(file)?,
            database_url: self.database_url(file)?,
            data_dir: self.path(file.data_dir.as_deref().unwrap_or("data")),
            poll_interval: self.duration("poll_interval", file.poll_interval.as_deref(), "20s")?,
            session_lifetime: self.duration("session_lifetime", file.session_lifetime.as_deref(), "14d")?,
            session_idle: self.duration("session_idle", file.session_idle.as_deref(), "7d")?,
            audit_retention: self.duration("audit_retention", file.audit_retention.as_deref(), "2y")?,
            oidc: file.oidc.as_ref().map(|oidc| self.oidc(oidc)).transpose()?,
            max_log_bytes: self.value("max_log_bytes", file.max_log_bytes.as_deref(), "256MiB", size::parse)?,
            max_results_bytes: self.value(
                "max_results_bytes",
                file.max_results_bytes.as_deref(),
                "1GiB",
                size::parse,
            )?,
            metrics_token: self.variables.secret("TESTARENA_METRICS_TOKEN")?,
            environments,
        })
    }

    fn limits(&self, file: &File) -> Result<Limits, ConfigError> {
        let limit = |key: &str, given: &Option<String>, default: &str| self.duration(key, given.as_deref(), default);
        let retention = file.remote_retention.as_deref();
        Ok(Limits {
            job_timeout: self.value("job_timeout", file.job_timeout.as_deref(), "1h", values::job_timeout)?,
            waiting_timeout: limit("waiting_timeout", &file.waiting_timeout, "7d")?,
            cleanup_give_up: limit("cleanup_give_up", &file.cleanup_give_up, "24h")?,
            retry_max_interval: limit("retry_max_interval", &file.retry_max_interval, "5m")?,
            remote_retention: self.value("remote_retention", retention, "7d", values::duration_or_never)?,
            http_timeout: limit("http_timeout", &file.http_timeout, "30s")?,
        })
    }

    fn trusted_proxies(&self, file: &File) -> Result<Vec<ipnet::IpNet>, ConfigError> {
        let proxies = file.trusted_proxies.iter().flatten();
        proxies.map(|text| values::network(text).map_err(|why| self.error("trusted_proxies", &why))).collect()
    }

    fn database_url(&self, file: &File) -> Result<DatabaseUrl, ConfigError> {
        let text = file.database_url.as_deref().unwrap_or("sqlite://data/testarena.db");
        match text.parse().map_err(ConfigError)? {
            DatabaseUrl::Sqlite(path) => Ok(DatabaseUrl::Sqlite(self.folder.join(path))),
            postgres @ DatabaseUrl::Postgres(_) => Ok(postgres),
        }
    }

    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    fn duration(&self, key: &str, given: Option<&str>, default: &str) -> Result<Duration, ConfigError> {
        self.value(key, given, default, values::duration)
    }

    /// A top-level key's value.
    fn value<T>(
        &self,
        key: &str,
        given: Option<&str>,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        read(given.unwrap_or(default)).map_err(|why| self.error(key, &why))
    }

    /// Names the key as the reader gave it: in the file or as a variable.
    fn error(&self, key: &str, why: &str) -> ConfigError {
        match self.variables.for_key(key) {
            Some(_) => ConfigError(format!("{}: {why}", name_for_key(key))),
            None => ConfigError(format!("{key}: {why}")),
        }
    }
}

fn carries_password(database_url: &str) -> bool {
    let authority = database_url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_authority || database_url.split_once('?').is_some_and(|(_, query)| query.contains("password="))
}

/// Puts the variables in the place of the file's keys.
fn overlay(file: &mut File, variables: &Variables) -> Result<(), ConfigError> {
    let texts = [
        ("listen", &mut file.listen),
        ("public_url", &mut file.public_url),
        ("database_url", &mut file.database_url),
        ("data_dir", &mut file.data_dir),
        ("poll_interval", &mut file.poll_interval),
        ("job_timeout", &mut file.job_timeout),
        ("waiting_timeout", &mut file.waiting_timeout),
        ("cleanup_give_up", &mut file.cleanup_give_up),
        ("retry_max_interval", &mut file.retry_max_interval),
        ("remote_retention", &mut file.remote_retention),
        ("session_lifetime", &mut file.session_lifetime),
        ("session_idle", &mut file.session_idle),
        ("audit_retention", &mut file.audit_retention),
        ("max_log_bytes", &mut file.max_log_bytes),
        ("max_results_bytes", &mut file.max_results_bytes),
        ("http_timeout", &mut file.http_timeout),
    ];
    for (key, place) in texts {
        if let Some(value) = variables.for_key(key) {
            *place = Some(value.to_owned());
        }
    }
    if let Some(value) = variables.for_key("trusted_proxies") {
        let proxies = value.split([',', ' ']).filter(|proxy| !proxy.is_empty());
        file.trusted_proxies = Some(proxies.map(str::to_owned).collect());
    }
    if let Some(value) = variables.for_key("oidc") {
        // The table as TOML in one line, `{ issuer = "…", … }`.
        let read = toml::from_str::<File>(&format!("oidc = {value}"));
        file.oidc = read.map_err(|error| ConfigError(format!("TESTARENA_OIDC: {}", error.message())))?.oidc;
    }
    if let Some(value) = variables.for_key("environments") {
        // The list as TOML in one line, `[{ name = "…", … }]`.
        let read = toml::from_str::<File>(&format!("environments = {value}"));
        file.environments =
            read.map_err(|error| ConfigError(format!("TESTARENA_ENVIRONMENTS: {}", error.message())))?.environments;
    }
    Ok(())
}

/// The variables that hold the secrets; the file chooses their names.
fn variables_named_by(file: &File) -> Vec<String> {
    let of_environment = |environment: &super::file::Environment| {
        [&environment.token_env, &environment.ssh.password_env].map(Clone::clone)
    };
    let of_oidc = file.oidc.iter().filter_map(|oidc| oidc.client_secret_env.clone());
    file.environments.iter().flat_map(of_environment).flatten().chain(of_oidc).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{HostKeyCheck, SshCredential};
    use super::*;

    const BENCH: &str = r#"
        [[environments]]
        name = "bench-a"
        url = "http://127.0.0.1:9000/lab/"
        token_env = "TESTARENA_BENCH_TOKEN"
        job_timeout = "2h"
        [environments.ssh]
        host = "127.0.0.1"
        user = "tests"
        identity_file = "keys/bench-a"
        host_key = "SHA256:abc"
        repository = "/srv/tests/repo"
        workspace_root = "/srv/tests/workspaces"
    "#;

    fn parse<const N: usize>(text: &str, variables: [(&str, &str); N]) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/testarena"), &Variables::from(variables)).map_err(|error| error.to_string())
    }

    fn refused<const N: usize>(text: &str, variables: [(&str, &str); N]) -> String {
        parse(text, variables).err().unwrap_or_else(|| panic!("accepted: {text}"))
    }

    #[test]
    fn an_empty_file_is_a_whole_configuration() {
        let config = parse("", []).unwrap();
        assert_eq!(config.public_url, "http://127.0.0.1:3000");
        assert_eq!(config.database_url, DatabaseUrl::Sqlite("/etc/testarena/data/testarena.db".into()));
        assert_eq!(config.data_dir, Path::new("/etc/testarena/data"));
        assert_eq!((config.poll_interval, config.environments.len()), (Duration::from_secs(20), 0));
    }

    #[test]
    fn a_variable_wins_over_the_file() {
        let variables = [
            ("TESTARENA_LISTEN", "127.0.0.1:4000"),
            ("TESTARENA_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
            ("TESTARENA_METRICS_TOKEN", "secret"),
            ("TESTARENA_LOG", "debug"),
            ("HOME", "/root"),
        ];
        let config = parse("listen = \"127.0.0.1:3000\"", variables).unwrap();
        assert_eq!((config.listen.port(), config.trusted_proxies.len()), (4_000, 2));
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn environments_inherit_the_limits_of_the_file() {
        let text = format!("waiting_timeout = \"3d\"\nremote_retention = \"never\"\n{BENCH}");
        let config = parse(&text, [("TESTARENA_BENCH_TOKEN", "secret")]).unwrap();
        let bench = &config.environments[0];
        assert_eq!(bench.url, "http://127.0.0.1:9000/lab");
        assert_eq!(bench.token.as_ref().map(crate::config::Secret::expose), Some("secret"));
        assert_eq!(bench.job_timeout, Duration::from_hours(2));
        assert_eq!(bench.waiting_timeout, Duration::from_hours(72));
        assert_eq!(bench.remote_retention, None);
        assert!(
            matches!(&bench.ssh.credential, SshCredential::IdentityFile(path) if path == Path::new("/etc/testarena/keys/bench-a"))
        );
        assert!(matches!(&bench.ssh.host_key, HostKeyCheck::Fingerprint(key) if key == "SHA256:abc"));
        assert_eq!((bench.ssh.port, bench.ssh.scenario_dir.as_str()), (22, "scenarios"));
    }

    #[test]
    fn single_sign_on_takes_its_secret_from_a_variable() {
        let text = "[oidc]\nissuer = \"https://id.example/\"\nclient_id = \"testarena\"\n";
        let config = parse(text, [("TESTARENA_OIDC_SECRET", "hunter2")]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let oidc = config.oidc.unwrap();
        assert_eq!(oidc.client_secret.as_ref().map(crate::config::Secret::expose), Some("hunter2"));
        assert_eq!((oidc.issuer.as_str(), oidc.username_claim.as_str()), ("https://id.example/", "preferred_username"));
        assert!(parse(text, []).unwrap().oidc.unwrap().client_secret.is_none());
        let inline = [("TESTARENA_OIDC", "{ issuer = \"https://id.example\", client_id = \"a\" }")];
        assert_eq!(parse("", inline).unwrap().oidc.unwrap().client_id, "a");
        for (more, words) in [
            ("client_secret = \"x\"", "client_secret"),
            ("client_secret_env = \"ID_SECRET\"", "ID_SECRET is not set"),
            ("label = \" \"", "oidc.label"),
        ] {
            let message = refused(&format!("{text}{more}"), []);
            assert!(message.contains(words), "{message} should contain {words}");
        }
        let message = refused("[oidc]\nissuer = \"id.example\"\nclient_id = \"a\"", []);
        assert!(message.contains("oidc.issuer"), "{message}");
    }

    #[test]
    fn environments_can_be_given_as_a_variable() {
        let inline = r#"[{ name = "b", url = "http://b", ssh = { host = "b", user = "u", identity_file = "k", host_key = "SHA256:x", repository = "/r", workspace_root = "/w" } }]"#;
        assert_eq!(parse("", [("TESTARENA_ENVIRONMENTS", inline)]).unwrap().environments[0].name, "b");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let token = [("TESTARENA_BENCH_TOKEN", "t")];
        let changed = |from: &str, to: &str| BENCH.replace(from, to);
        for (message, words) in [
            (refused("pol_interval = \"20s\"", []), "pol_interval"),
            (refused("poll_interval = \"often\"", []), "poll_interval: \"often\""),
            (refused("", [("TESTARENA_POLL_INTERVAL", "often")]), "TESTARENA_POLL_INTERVAL: \"often\""),
            (refused("", [("TESTARENA_JOB_TIMEOUT", "soon")]), "TESTARENA_JOB_TIMEOUT: \"soon\""),
            (refused(&changed("2h", "soon"), token), "environment \"bench-a\": job_timeout: \"soon\""),
            (refused("job_timeout = \"500ms\"", []), "job_timeout: \"500ms\" must be at least 1s"),
            (refused(&changed("2h", "500ms"), token), "environment \"bench-a\": job_timeout: \"500ms\" must be"),
            (refused("http_timeout = \"0s\"", []), "http_timeout: \"0s\" must be at least 1ms"),
            (refused(&changed("user =", "port = 0\nuser ="), token), "ssh.port: 0 is no port"),
            (refused("", [("TESTARENA_POL_INTERVAL", "20s")]), "TESTARENA_POL_INTERVAL"),
            (refused("poll_interval = 20", []), "poll_interval"),
            (refused("database_url = \"mysql://x\"", []), "database_url"),
            (refused("database_url = \"postgres://a:b@host/x\"", []), "TESTARENA_DATABASE_URL"),
            (refused(BENCH, []), "TESTARENA_BENCH_TOKEN"),
            (refused(&format!("{BENCH}{BENCH}"), token), "two environments are called \"bench-a\""),
            (refused(&changed("name = \"bench-a\"", "name = \"bench a\""), token), "name"),
            (refused(&changed("http://", "ftp://"), token), "environment \"bench-a\": url"),
            (refused(&changed("identity_file = \"keys/bench-a\"", ""), token), "identity_file"),
            (refused(&changed("host_key = ", "known_hosts = \"k\"\nhost_key = "), token), "known_hosts"),
            (refused(&changed("SHA256:", "MD5:"), token), "host_key"),
            (refused(&changed("\"/srv/tests/workspaces\"", "\"/\""), token), "workspace_root"),
            (refused(&changed("job_timeout = \"2h\"", "queue_id_prefix = \"a-b\""), token), "queue_id_prefix"),
        ] {
            assert!(message.contains(words), "{message} should contain {words}");
        }
    }

    #[test]
    fn no_message_repeats_a_secret() {
        let message = refused("database_url = \"postgres://ada:hunter2@host/x\"", []);
        assert!(!message.contains("hunter2"), "{message}");
        let message = refused("listen = \"127.0.0.1:1\"\n[oidc]\nclient_secret = \"hunter2\"", []);
        assert!(message.contains("line 3") && message.contains("client_secret"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
