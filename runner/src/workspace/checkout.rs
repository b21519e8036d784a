//! A queue's own checkout: a repository of its own that borrows the objects of the bench's clone, so that it costs
//! no copy and what a scenario does in it stays in it. The files are written by way of the clone, which knows where
//! to get what it lacks.

use super::clone_layout::CloneLayout;
use super::fetch::FETCH_LIMIT;
use super::git::{Call, GitError};
use super::mend::tells_of_damage;
use super::{LOCAL_LIMIT, Repository};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Writing the files of a big repository onto a slow disk.
pub(super) const CHECKOUT_LIMIT: Duration = Duration::from_mins(10);

/// What is to be checked out.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub branch: String,
    pub commit: String,
    pub submodules: bool,
}

/// Settings of the clone that are about its own working tree, and the file system on which that would lie.
pub(super) const NOT_OURS: [&str; 16] = [
    "-c",
    "core.sparseCheckout=false",
    "-c",
    "core.splitIndex=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.bare=false",
    "-c",
    "core.symlinks=true",
    "-c",
    "core.autocrlf=false",
    "-c",
    "core.eol=lf",
    "-c",
    "submodule.recurse=false",
];

/// Settings of the clone that say how servers are reached. Not what `git submodule init` has once noted of submodules: a
/// commit may name other addresses.
const WAYS: &str = r"^(url\..*|credential\..*|http\..*|protocol\..*|ssh\.variant|core\.(sshcommand|gitproxy))$";

impl Repository {
    /// Makes `workspace` a checkout, in place of whatever is there, and returns what the queue's log should tell.
    pub async fn checkout(&self, workspace: &Path, wanted: &Wanted) -> Result<Vec<String>, GitError> {
        let folder = workspace.to_owned();
        blocking(move || crate::layout::remove_tree(&folder)).await?;
        let layout = self.clone_layout().await?;
        if !self.look_up(&wanted.branch, &wanted.commit).await?.0
            // No client waits for this, and the queue would fail for good.
            && let Err(error) = self.fetch(&wanted.branch, &wanted.commit, FETCH_LIMIT).await
        {
            // Git says more clearly what is missing when it has to be used.
            tracing::warn!(%error, "a queue's commit was gone and could not be fetched again");
        }
        let target = workspace.to_string_lossy();
        let format = format!("--object-format={}", layout.object_format);
        let init = ["init", "--quiet", "--template=", &format, "--", &target];
        let env = [("GIT_DEFAULT_REF_FORMAT", OsStr::new("files"))];
        self.call(&self.path, &init, &env, LOCAL_LIMIT).await?;
        self.furnish(workspace, &layout, &wanted.commit).await?;
        let git_dir = workspace.join(".git");
        let index = git_dir.join("index");
        let env = [
            ("GIT_DIR", layout.git_dir.as_os_str()),
            ("GIT_WORK_TREE", workspace.as_os_str()),
            ("GIT_INDEX_FILE", index.as_os_str()),
        ];
        let read_tree = [&NOT_OURS[..], &["read-tree", "-u", "--reset", &wanted.commit]].concat();
        let write = || self.call(workspace, &read_tree, &env, CHECKOUT_LIMIT);
        let mut told = Vec::new();
        match write().await {
            Err(error) if tells_of_damage(&error) && self.look_up(&wanted.branch, &wanted.commit).await?.0 => {
                told.push(format!("the clone lacks objects of branch {}; all of it is fetched anew", wanted.branch));
                self.mend_and(Some(&wanted.branch), FETCH_LIMIT, write()).await
            }
            written => written,
        }?;
        told.extend(self.fetch_submodules(workspace, wanted.submodules).await?);
        Ok(told)
    }

    async fn call(
        &self,
        folder: &Path,
        arguments: &[&str],
        env: &[(&str, &OsStr)],
        limit: Duration,
    ) -> Result<Vec<u8>, GitError> {
        self.git.call(Call { folder, arguments, env, input: String::new(), limit }).await
    }

    /// Gives a new repository the clone's objects, its names for them, and its source.
    async fn furnish(&self, workspace: &Path, layout: &CloneLayout, commit: &str) -> Result<(), GitError> {
        let refs = self.refs().await?;
        let ways = self.ways().await?;
        let source = self.source().await? + &ways.iter().filter_map(|way| config_lines(way)).collect::<String>();
        let git_dir = workspace.join(".git");
        let shallow = layout.is_shallow.then(|| layout.common_dir.join("shallow"));
        let (head, layout) = (format!("{commit}\n"), layout.clone());
        blocking(move || {
            let mut alternates = Vec::new();
            for folder in layout.object_folders() {
                alternates.extend_from_slice(folder.as_os_str().as_encoded_bytes());
                alternates.push(b'\n');
            }
            std::fs::create_dir_all(git_dir.join("objects/info"))?;
            std::fs::write(git_dir.join("objects/info/alternates"), alternates)?;
            if let Some(shallow) = shallow {
                std::fs::copy(shallow, git_dir.join("shallow"))?;
            }
            std::fs::write(git_dir.join("packed-refs"), refs)?;
            std::fs::write(git_dir.join("HEAD"), head)?;
            let mut config = std::fs::read_to_string(git_dir.join("config"))?;
            config.push_str(&source);
            std::fs::write(git_dir.join("config"), config)
        })
        .await
    }

    /// The clone's tags and branches as a clone of it would have them, in the form of `packed-refs`.
    async fn refs(&self) -> Result<Vec<u8>, GitError> {
        let kinds = ["refs/tags", "refs/heads", "refs/remotes/origin"];
        let arguments = [&["for-each-ref", "--format=%(objectname) %(refname)"][..], &kinds].concat();
        let listing = self.run(&arguments, LOCAL_LIMIT).await?;
        let mut found: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for line in listing.split(|byte| *byte == b'\n') {
            let Some(space) = line.iter().position(|byte| *byte == b' ') else {
                continue;
            };
            let (object, name) = (&line[..space], &line[space + 1..]);
            match name.strip_prefix(b"refs/heads/") {
                // What is known of the source itself is newer than a branch that was once checked out here.
                Some(branch) => {
                    let name = [&b"refs/remotes/origin/"[..], branch].concat();
                    found.entry(name).or_insert_with(|| object.to_owned());
                }
                None if name == b"refs/remotes/origin/HEAD" => {}
                None => drop(found.insert(name.to_owned(), object.to_owned())),
            }
        }
        let mut text = b"# pack-refs with: sorted \n".to_vec();
        for (name, object) in found {
            text.extend([&object[..], b" ", &name, b"\n"].concat());
        }
        Ok(text)
    }

    /// Where the clone comes from, as lines of a configuration. A partial clone's source has what it lacks.
    async fn source(&self) -> Result<String, GitError> {
        let url = self.run(&["ls-remote", "--get-url", "origin"], LOCAL_LIMIT).await?;
        let url = match String::from_utf8_lossy(&url).trim() {
            // So git answers where there is no such source.
            "origin" => return Ok(String::new()),
            url => self.absolute(url),
        };
        let mut text =
            format!("[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", quoted(&url));
        let partial = ["config", "-z", "--get-regexp", "^remote\\.origin\\.(promisor|partialclonefilter)$"];
        let settings = match self.run(&partial, LOCAL_LIMIT).await {
            Ok(settings) => settings,
            // There are none.
            Err(GitError::Failed { code: Some(1), .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        for setting in String::from_utf8_lossy(&settings).split('\0') {
            if let Some((name, value)) = setting.split_once('\n') {
                let key = name.rsplit('.').next().unwrap_or_default();
                // Writing into a string does not fail.
                let _written = writeln!(text, "\t{key} = {}", quoted(value));
            }
        }
        Ok(text)
    }

    /// How the clone reaches servers (other addresses, keys, proxies, credentials), each as `name\nvalue`: so do its
    /// checkouts, for their submodules and for what scenarios fetch themselves.
    pub(super) async fn ways(&self) -> Result<Vec<String>, GitError> {
        let ask = ["config", "--local", "--includes", "-z", "--get-regexp", WAYS];
        let settings = match self.run(&ask, LOCAL_LIMIT).await {
            Ok(settings) => settings,
            // There are none.
            Err(GitError::Failed { code: Some(1), .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let settings = String::from_utf8_lossy(&settings);
        Ok(settings.split('\0').filter(|setting| !setting.is_empty()).map(str::to_owned).collect())
    }

    /// Git takes a source that is a relative path from the clone's folder, and a checkout lies elsewhere.
    fn absolute(&self, url: &str) -> String {
        let is_remote = url.split('/').next().is_some_and(|first| first.contains(':'));
        if is_remote || url.starts_with('/') {
            return url.to_owned();
        }
        let path = self.path.join(url);
        path.canonicalize().unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// What git lists as `section.subsection.name\nvalue`. Where no value follows, it is a switch that is on.
fn config_lines(setting: &str) -> Option<String> {
    let (key, value) = setting.split_once('\n').map_or((setting, None), |(key, value)| (key, Some(value)));
    let (section, rest) = key.split_once('.')?;
    let (subsection, name) = rest.rsplit_once('.').map_or((None, rest), |(subsection, name)| (Some(subsection), name));
    let subsection = subsection.map(|subsection| format!(" {}", quoted(subsection))).unwrap_or_default();
    let value = value.map(|value| format!(" = {}", quoted(value))).unwrap_or_default();
    Some(format!("[{section}{subsection}]\n\t{name}{value}\n"))
}

/// A value as git's configuration files have it.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, GitError> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::from).flatten()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_written_as_it_was_read() {
        for (setting, expected) in [
            ("core.sshcommand\nssh -i \"a b\"", "[core]\n\tsshcommand = \"ssh -i \\\"a b\\\"\"\n"),
            ("url.https://a.b/\"c\".insteadof\ngit@c:", "[url \"https://a.b/\\\"c\\\"\"]\n\tinsteadof = \"git@c:\"\n"),
            ("http.emptyauth", "[http]\n\temptyauth\n"),
        ] {
            assert_eq!(config_lines(setting).as_deref(), Some(expected));
        }
    }
}
