//! Where a clone keeps what is its own and what it borrows, however it was made.
//! A clone that can never be whole is found at the start, with the command that mends it.

use super::git::GitError;
use super::{LOCAL_LIMIT, Repository};
use protocol::shell::quote;
use std::collections::BTreeSet;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// As deep as git follows alternates of alternates.
const MAX_DEPTH: u32 = 5;

#[derive(Clone, Debug)]
pub struct CloneLayout {
    /// Of this working tree; the same as the next unless it is a linked one.
    pub git_dir: PathBuf,
    pub common_dir: PathBuf,
    pub is_shallow: bool,
    /// `sha1`, as a rule.
    pub object_format: String,
}

impl CloneLayout {
    /// The folders that objects are read from: the clone's own and those it borrows from. Blocks.
    pub fn object_folders(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        add_objects(self.common_dir.join("objects"), 0, &mut found);
        found
    }
}

fn add_objects(folder: PathBuf, depth: u32, found: &mut BTreeSet<PathBuf>) {
    let folder = folder.canonicalize().unwrap_or(folder);
    if depth > MAX_DEPTH || !found.insert(folder.clone()) {
        return;
    }
    let list = std::fs::read(folder.join("info/alternates")).unwrap_or_default();
    for line in list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
        let path = PathBuf::from(std::ffi::OsString::from_vec(line.to_owned()));
        add_objects(folder.join(path), depth + 1, found);
    }
}

/// A file without which git makes nothing of a clone, and that holds nothing which git wrote. Blocks.
fn emptied_file(repository: &Path) -> Option<PathBuf> {
    let Some((git_dir, common_dir)) = git_folders(repository) else {
        return Some(repository.join(".git"));
    };
    // Without these two, or with nothing in them, there is no clone; of the others nothing is what a new one has.
    let is_emptied = |file: &PathBuf| match std::fs::read(file) {
        Ok(text) => text.contains(&0) || (text.is_empty() && (file.ends_with("HEAD") || file.ends_with("config"))),
        Err(_) => false,
    };
    let common = ["config", "packed-refs", "shallow"].map(|name| common_dir.join(name));
    std::iter::once(git_dir.join("HEAD")).chain(common).find(is_emptied)
}

/// Where a working tree's own files lie, and those that all working trees of a clone share. `None` where `.git` should
/// say, and does not. Git can't be asked, which finds no clone where such a file is damaged. Blocks.
fn git_folders(repository: &Path) -> Option<(PathBuf, PathBuf)> {
    let dot_git = repository.join(".git");
    let git_dir = if dot_git.is_dir() {
        dot_git
    } else {
        match std::fs::read(&dot_git) {
            // Of a linked working tree, a submodule, or a clone whose folder lies elsewhere.
            Ok(text) => repository.join(path_of(text.strip_prefix(b"gitdir: ")?)),
            Err(_) => repository.to_owned(),
        }
    };
    let common_dir = match std::fs::read(git_dir.join("commondir")) {
        Ok(text) => {
            let common_dir = git_dir.join(path_of(&text));
            common_dir.canonicalize().unwrap_or(common_dir)
        }
        Err(_) => git_dir.clone(),
    };
    Some((git_dir, common_dir))
}

/// Of a file that holds one path.
fn path_of(text: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(text.trim_ascii_end()))
}

/// A path in a command that somebody is advised to run.
pub(super) fn quoted(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

impl Repository {
    pub async fn clone_layout(&self) -> Result<CloneLayout, GitError> {
        let questions = ["--absolute-git-dir", "--git-common-dir", "--is-shallow-repository", "--show-object-format"];
        let arguments: Vec<&str> = std::iter::once("rev-parse").chain(questions).collect();
        let answer = self.run(&arguments, LOCAL_LIMIT).await?;
        let mut lines = answer.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
        let mut next = || lines.next().unwrap_or_default();
        let git_dir = PathBuf::from(std::ffi::OsString::from_vec(next()));
        let common_dir = self.path.join(Path::new(&std::ffi::OsString::from_vec(next())));
        let is_shallow = next() == b"true";
        Ok(CloneLayout {
            git_dir,
            common_dir: common_dir.canonicalize().unwrap_or(common_dir),
            is_shallow,
            object_format: String::from_utf8_lossy(&next()).into_owned(),
        })
    }

    /// Why no queue could ever run from this clone; `None` when nothing is known against it.
    /// A clone that can't be asked now may be asked later.
    pub async fn defect(&self) -> Option<String> {
        let path = self.path.clone();
        if let Some(file) = tokio::task::spawn_blocking(move || emptied_file(&path)).await.ok()? {
            let (repository, file, clone) = (self.path.display(), file.display(), quoted(&self.path));
            return Some(format!(
                "repository {repository} is damaged: {file} holds zeros or nothing, as files do after a power cut. Make \
                 the clone anew: `rm -rf {clone} && git clone URL {clone}`"
            ));
        }
        let layout = match self.clone_layout().await {
            Ok(layout) => layout,
            Err(error) => {
                tracing::error!(%error, "the repository can't be asked now; queues are refused until it can");
                return None;
            }
        };
        let folders = tokio::task::spawn_blocking(move || layout.object_folders()).await.ok()?;
        let gone = folders.into_iter().find(|folder| !folder.is_dir())?;
        let (repository, gone, clone) = (self.path.display(), gone.display(), quoted(&self.path));
        Some(format!(
            "repository {repository} borrows objects from {gone}, which is not there: put that back and run \
             `git -C {clone} repack -a -d`, then remove its objects/info/alternates; or make the clone anew \
             with `git clone URL {clone}`"
        ))
    }
}
