//! The environment variables that count: the process's own, and those of a `.env` file in the working folder.
//! Read once into a map, so that loading is a pure function of its inputs.

use super::file::KEYS;
use super::{ConfigError, Secret};
use protocol::text;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;

/// Every variable of ours begins so.
pub(super) const PREFIX: &str = "TESTARENA_";

/// Known besides the file's top-level keys: the log filter, the command-line client's own two, the token for
/// `/metrics`, and what a task gets from the runner (a task may itself start TestArena).
const OTHERS: [&str; 13] = [
    "LOG",
    "LOG_FORMAT",
    "URL",
    "TOKEN",
    "METRICS_TOKEN",
    "OIDC_SECRET",
    "QUEUE_ID",
    "TASK_ID",
    "SCENARIO",
    "BRANCH",
    "COMMIT",
    "RESULTS",
    "SLOT",
];

/// Environment variables by name. A variable of the process wins over the same one in `.env`.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Reads `.env` in the working folder, if there is one, and the process's environment.
    pub fn read() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        let unreadable = |error: &dyn Error| ConfigError(format!(".env can't be read: {error}"));
        match std::fs::read(".env") {
            Ok(bytes) => variables.extend(read_lines(&text::of_file(bytes).map_err(|error| unreadable(&error))?)?),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&error)),
        }
        variables.extend(Self::of_process()?.0);
        Ok(Self(variables))
    }

    /// The process's environment alone. One of ours that is no text is a bad value, and not one that was left out.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            match (name.to_str(), value.to_str()) {
                (Some(name), Some(value)) => {
                    variables.insert(name.to_owned(), value.to_owned());
                }
                _ if name.to_string_lossy().starts_with(PREFIX) => {
                    return Err(ConfigError(format!("{} is no text in UTF-8", name.to_string_lossy())));
                }
                _ => {}
            }
        }
        Ok(Self(variables))
    }

    /// A variable's value; an empty one counts as not set. The end of a line, which a file with those of Windows leaves
    /// behind in many a supervisor, is no part of it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim_end_matches(['\r', '\n'])).filter(|value| !value.is_empty())
    }

    /// A secret that opens something to all where it is left out: to give an empty one is a mistake.
    pub(super) fn secret(&self, name: &str) -> Result<Option<Secret>, ConfigError> {
        match self.0.get(name).map(|value| value.trim()) {
            Some("") => Err(ConfigError(format!("{name} is empty; give a value, or leave the variable out"))),
            value => Ok(value.map(|value| Secret::new(value.to_owned()))),
        }
    }

    /// The value that stands in for a top-level key of the file.
    pub(super) fn for_key(&self, key: &str) -> Option<&str> {
        self.get(&name_for_key(key))
    }

    /// These variables, and one more that the process was not given.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Refuses the variables of keys that a command sets itself; `how` says what to do instead.
    pub fn refuse_keys(&self, keys: &[&str], how: &str) -> Result<(), ConfigError> {
        match keys.iter().find(|key| self.for_key(key).is_some()) {
            Some(key) => Err(ConfigError(format!("{} has no use here: {how}", name_for_key(key)))),
            None => Ok(()),
        }
    }

    /// For commands without a configuration file of the server's: the same names are known, and those named here.
    pub fn refuse_typos(&self, named: &[String]) -> Result<(), ConfigError> {
        self.refuse_unknown(named)
    }

    /// Refuses a variable of ours that nobody reads: most likely a typo.
    pub(super) fn refuse_unknown(&self, named_by_file: &[String]) -> Result<(), ConfigError> {
        let is_known = |name: &str, rest: &str| {
            OTHERS.contains(&rest)
                || KEYS.iter().any(|key| key.to_uppercase() == rest)
                || named_by_file.iter().any(|known| known == name)
        };
        let unknown = self.0.keys().find(|name| name.strip_prefix(PREFIX).is_some_and(|rest| !is_known(name, rest)));
        match unknown {
            Some(name) => Err(ConfigError(format!(
                "unknown environment variable {name}; every top-level key of the file can be given as {PREFIX}<KEY>"
            ))),
            None => Ok(()),
        }
    }
}

fn read_lines(text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let wrong = |_| ConfigError(".env has a line that is no NAME=value".into());
    dotenvy::from_read_iter(text.as_bytes()).map(|line| line.map_err(wrong)).collect()
}

pub(super) fn name_for_key(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}
