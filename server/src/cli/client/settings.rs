//! Which server to talk to, and with which token: the environment's, or the file that `login` keeps for its user.
//! A token is shown to the server that it was made at and to no other.

use super::api::{Api, Credentials};
use super::failure::Failure;
use super::out::note;
use crate::config::{Secret, Variables};
use protocol::text;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// For the owner alone.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// What the file holds.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    /// Of the token, so that `logout` can delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_id: Option<i64>,
}

pub(super) struct Settings {
    url: String,
    token: Secret,
}

impl Settings {
    pub(super) fn api(self) -> Result<Api, Failure> {
        Api::new(&self.url, Credentials::Token(self.token))
    }
}

/// The environment's words win over the file's.
pub(super) fn find(variables: &Variables) -> Result<Settings, Failure> {
    let url = trimmed(variables, "TESTARENA_URL").map(|url| read_url("TESTARENA_URL", &url)).transpose()?;
    let token = trimmed(variables, "TESTARENA_TOKEN");
    if let Some(token) = &token {
        require_plain("TESTARENA_TOKEN", token)?;
    }
    if let (Some(url), Some(token)) = (&url, &token) {
        return Ok(Settings { url: url.clone(), token: Secret::new(token.clone()) });
    }
    let kept = read()?;
    let sign_in = "sign in with `testarena login`, or set TESTARENA_URL and TESTARENA_TOKEN";
    if token.is_none()
        && kept.token.is_some()
        && let (Some(wanted), Some(known)) = (&url, &kept.url)
        && wanted != known
    {
        let told = format!(
            "the token that is kept here is for {known}; sign in with `testarena login --url {wanted}`, or set TESTARENA_TOKEN"
        );
        return Err(Failure::Usage(told));
    }
    let url = url.or(kept.url).ok_or_else(|| Failure::Usage(format!("no server is known; {sign_in}")))?;
    let token = token.or(kept.token).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| Failure::Usage(format!("no token for {url} is known; {sign_in}")))?;
    Ok(Settings { url, token: Secret::new(token) })
}

/// A variable without the white space, such as a carriage return, that came with it.
pub(super) fn trimmed(variables: &Variables, name: &str) -> Option<String> {
    variables.get(name).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// A header carries no other characters. The token itself is never shown.
fn require_plain(place: &str, token: &str) -> Result<(), Failure> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Failure::Usage(format!("{place}: the token holds a character that no token has; copy it again")))
}

/// Checked, and written in one way. `place`: where it stands.
pub(super) fn read_url(place: &str, text: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("{place}: \"{text}\" {why}"));
    let no_address = "is no address such as https://tests.example.org";
    let url = reqwest::Url::parse(text.trim()).map_err(|_| wrong(no_address))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong(no_address));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::Usage(format!("{place}: no user name or password in it; sign in with `testarena login`")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must have neither \"?\" nor \"#\""));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Where the file is, or would be.
pub(super) fn file() -> Result<PathBuf, Failure> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let none = || Failure::Usage("neither XDG_CONFIG_HOME nor HOME says where to keep a token".to_owned());
    Ok(config.ok_or_else(none)?.join("testarena/config.toml"))
}

/// What the file says; nothing where there is none.
pub(super) fn read() -> Result<Kept, Failure> {
    let Ok(path) = file() else {
        return Ok(Kept::default());
    };
    let text = match fs::read(&path).and_then(|bytes| text::of_file(bytes).map_err(io::Error::other)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(Failure::Usage(format!("{} can't be read: {error}", path.display()))),
    };
    let wrong = |error: toml::de::Error| Failure::Usage(format!("{}: {}", path.display(), error.message()));
    let mut kept: Kept = toml::from_str(&text).map_err(wrong)?;
    kept.url = kept.url.map(|url| read_url(&path.display().to_string(), &url)).transpose()?;
    kept.token = kept.token.map(|token| token.trim().to_owned());
    if let Some(token) = &kept.token {
        require_plain(&path.display().to_string(), token)?;
    }
    if kept.token.is_some() {
        warn_of_readers(&path);
    }
    Ok(kept)
}

fn warn_of_readers(path: &Path) {
    let mode = fs::metadata(path).map_or(FILE_MODE, |about| about.permissions().mode());
    if mode & 0o077 != 0 {
        note(format_args!("others can read the token in {0}; chmod 600 {0}", path.display()));
    }
}

/// Writes the file anew, whole or not at all. Where it went.
pub(super) fn keep(kept: &Kept) -> Result<PathBuf, Failure> {
    let path = file()?;
    let cant = |error: &dyn std::fmt::Display| Failure::Local(format!("{} can't be written: {error}", path.display()));
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(|error| cant(&error))?;
    let text = toml::to_string(kept).map_err(|error| cant(&error))?;
    let permissions = fs::Permissions::from_mode(FILE_MODE);
    let made = tempfile::Builder::new().prefix(".config.").permissions(permissions).tempfile_in(folder);
    let mut file = made.map_err(|error| cant(&error))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|error| cant(&error))?;
    file.persist(&path).map_err(|error| cant(&error.error))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_written_in_one_way() {
        let read = |text: &str| read_url("TESTARENA_URL", text).map_err(|failure| failure.to_string());
        assert_eq!(read("HTTP://Tests.example.org:80/\r"), Ok("http://tests.example.org".to_owned()));
        assert_eq!(read("https://tests.example.org/arena/"), Ok("https://tests.example.org/arena".to_owned()));
        for (text, words) in [
            ("tests.example.org", "is no address"),
            ("localhost:3000", "is no address"),
            ("ftp://tests", "is no address"),
            ("http://ada:secret@tests", "no user name"),
            ("http://tests/?a=1", "neither"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(words) && told.starts_with("TESTARENA_URL: "), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
