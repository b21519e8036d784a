//! The demo's folder: where everything in it lies, and the passwords of its two users, kept for the next start.
//! Its first file marks it as the demo's, so that `--reset` never deletes anything else.

use rand::RngExt;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// 16 letters and digits are 95 bits: nobody guesses that, and it can still be typed.
const PASSWORD_LENGTH: usize = 16;

/// The passwords of the demo's users.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Passwords {
    pub admin: String,
    pub demo: String,
}

pub struct Folder {
    root: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{} holds something that is not a demo; choose another folder with --data", .0.display())]
    NotADemo(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {}; `--reset` starts over", path.display(), source.message())]
    Unreadable { path: PathBuf, source: toml::de::Error },
}

impl Folder {
    /// Opens the demo's folder, or makes it. `reset`: deletes what an earlier demo left there.
    pub fn open(root: &Path, reset: bool) -> Result<(Self, Passwords), FolderError> {
        let root = std::path::absolute(root).map_err(io_error(root))?;
        let folder = Self { root };
        let marker = folder.passwords();
        if !marker.exists() && !is_empty(&folder.root)? {
            return Err(FolderError::NotADemo(folder.root));
        }
        if reset && folder.root.exists() {
            fs::remove_dir_all(&folder.root).map_err(io_error(&folder.root))?;
        }
        let passwords = if marker.exists() { read(&marker)? } else { folder.create()? };
        Ok((folder, passwords))
    }

    fn create(&self) -> Result<Passwords, FolderError> {
        fs::create_dir_all(&self.root).map_err(io_error(&self.root))?;
        let passwords = Passwords { admin: random_password(), demo: random_password() };
        let path = self.passwords();
        let text = format!("admin = \"{}\"\ndemo = \"{}\"\n", passwords.admin, passwords.demo);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(io_error(&path))?;
        file.write_all(text.as_bytes()).map_err(io_error(&path))?;
        Ok(passwords)
    }

    fn passwords(&self) -> PathBuf {
        self.root.join("passwords.toml")
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The source of the scenarios; commit to it to see new ones.
    pub fn origin(&self) -> PathBuf {
        self.root.join("origin")
    }

    /// The runner's clone of it.
    pub fn repository(&self) -> PathBuf {
        self.root.join("runner/repository")
    }

    pub fn workspaces(&self) -> PathBuf {
        self.root.join("runner/workspaces")
    }

    pub fn runner_data(&self) -> PathBuf {
        self.root.join("runner/data")
    }

    pub fn host_key(&self) -> PathBuf {
        self.root.join("keys/host")
    }

    pub fn client_key(&self) -> PathBuf {
        self.root.join("keys/client")
    }

    pub fn authorized_keys(&self) -> PathBuf {
        self.root.join("keys/authorized_keys")
    }
}

fn is_empty(root: &Path) -> Result<bool, FolderError> {
    match fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(io_error(root)(error)),
    }
}

fn read(path: &Path) -> Result<Passwords, FolderError> {
    let text = fs::read_to_string(path).map_err(io_error(path))?;
    toml::from_str(&text).map_err(|source| FolderError::Unreadable { path: path.to_owned(), source })
}

fn random_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_finds_the_same_passwords_and_a_reset_makes_new_ones() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("demo");
        let first = Folder::open(&root, false).unwrap().1.admin;
        assert_eq!(Folder::open(&root, false).unwrap().1.admin, first);
        assert_ne!(Folder::open(&root, true).unwrap().1.admin, first);
    }

    #[test]
    fn a_folder_that_is_no_demo_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(Folder::open(dir.path(), true), Err(FolderError::NotADemo(_))));
        assert!(dir.path().join("thesis.txt").exists());
    }
}
