//! The site's built files: inside the binary (feature `embed-site`), else in a folder. Where nothing was built there
//! are none, and the pages come without scripts. Each is hashed once, not at each request.

use crate::encoding::{self, Coding};
use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

#[cfg(feature = "embed-site")]
#[derive(rust_embed::RustEmbed)]
#[folder = "../target/site"]
struct Embedded;

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Files(Arc<Inner>);

struct Inner {
    folder: Option<PathBuf>,
    /// By path, with the file's state at that time. There are never more than there are files.
    tags: Mutex<HashMap<String, (State, String)>>,
}

/// Tells a file from the one that was there before; `None` of one inside the binary, which never changes.
type State = Option<(SystemTime, u64)>;

/// One of the site's files, not yet read.
pub(super) struct File {
    path: String,
    pub(super) content_type: &'static str,
    pub(super) etag: String,
    pub(super) coding: Coding,
    /// It is in other forms as well, so what was sent depends on what was asked for.
    pub(super) has_forms: bool,
}

/// Written by the build: where the files with hashed names are, from the site's root.
#[derive(Deserialize)]
pub(super) struct Manifest {
    js: Option<String>,
    wasm: Option<String>,
    css: Option<String>,
}

impl Manifest {
    pub(super) fn assets(self) -> super::SiteAssets {
        let rooted = |path: String| format!("/{path}");
        super::SiteAssets { css: self.css.map(rooted), live: self.js.map(rooted).zip(self.wasm.map(rooted)) }
    }
}

impl Files {
    pub(super) fn open(folder: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner { folder: folder.or_else(usual_folder), tags: Mutex::default() }))
    }

    /// Read once, at start.
    pub(super) fn manifest(&self) -> Option<Manifest> {
        const NAME: &str = "manifest.json";
        let bytes = embedded(NAME).or_else(|| std::fs::read(self.on_disk(NAME)?).ok().map(Bytes::from))?;
        serde_json::from_slice(&bytes)
            .inspect_err(
                |error| tracing::error!(%error, "the site's manifest.json can't be read: pages have no scripts"),
            )
            .ok()
    }

    /// The file at an URL's path, in the form that is most welcome.
    pub(super) async fn find(&self, url_path: &str, request: &HeaderMap) -> Option<File> {
        let path = url_path.strip_prefix('/').filter(|path| is_plain(path))?;
        let content_type = content_type(path)?;
        let plain = self.state(path).await?;
        let (mut codings, mut states) = (vec![Coding::Identity], vec![plain]);
        for (end, coding) in [("gz", Coding::Gzip), ("br", Coding::Brotli)] {
            if let Some(state) = self.state(&format!("{path}.{end}")).await {
                codings.insert(0, coding);
                states.insert(0, state);
            }
        }
        let coding = encoding::choose(request, &codings);
        let state = states.into_iter().zip(&codings).find(|(_, other)| **other == coding)?.0;
        let path = match coding {
            Coding::Brotli => format!("{path}.br"),
            Coding::Gzip => format!("{path}.gz"),
            Coding::Identity => path.to_owned(),
        };
        let etag = self.etag(&path, state).await?;
        Some(File { path, content_type, etag, coding, has_forms: codings.len() > 1 })
    }

    pub(super) async fn read(&self, file: &File) -> Option<Bytes> {
        self.read_path(&file.path).await
    }

    async fn read_path(&self, path: &str) -> Option<Bytes> {
        if let Some(bytes) = embedded(path) {
            return Some(bytes);
        }
        tokio::fs::read(self.on_disk(path)?).await.ok().map(Bytes::from)
    }

    /// `None` where there is no such file.
    async fn state(&self, path: &str) -> Option<State> {
        if embedded(path).is_some() {
            return Some(None);
        }
        let found = tokio::fs::metadata(self.on_disk(path)?).await.ok().filter(std::fs::Metadata::is_file)?;
        Some(Some((found.modified().ok()?, found.len())))
    }

    async fn etag(&self, path: &str, state: State) -> Option<String> {
        let tags = || self.0.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tags().get(path).filter(|(of, _)| *of == state).map(|(_, etag)| etag.clone());
        if known.is_some() {
            return known;
        }
        let made = etag(&self.read_path(path).await?);
        tags().insert(path.to_owned(), (state, made.clone()));
        Some(made)
    }

    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        Some(self.0.folder.as_ref()?.join(path))
    }
}

#[cfg(feature = "embed-site")]
fn embedded(path: &str) -> Option<Bytes> {
    Embedded::get(path).map(|file| match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    })
}

#[cfg(not(feature = "embed-site"))]
const fn embedded(_path: &str) -> Option<Bytes> {
    None
}

/// `target/site`: from the working folder of somebody who builds, or beside the binary's own `target/<profile>`.
fn usual_folder() -> Option<PathBuf> {
    let below_here = Path::new("target/site");
    if below_here.is_dir() {
        return Some(below_here.to_owned());
    }
    let beside_binary = env::current_exe().ok()?.parent()?.parent()?.join("site");
    beside_binary.is_dir().then_some(beside_binary)
}

/// Leads to nothing above the folder and to nothing hidden in it.
fn is_plain(path: &str) -> bool {
    let is_plain_segment = |segment: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(allowed)
    };
    path.split('/').all(is_plain_segment)
}

/// None for what is no file of the site's.
fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..12]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::ACCEPT_ENCODING;

    #[test]
    fn no_path_leads_out_of_the_site() {
        assert!(is_plain("pkg/testarena.0123abcd.js"));
        for path in ["../secret.js", "pkg/../../x.js", ".env", "pkg//x.js", "", "a\\b.js", "%2e%2e/x.js"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    fn accepting(codings: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, codings.parse().expect("a header"))])
    }

    #[tokio::test]
    async fn a_file_goes_in_the_form_that_is_most_welcome() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in [("a.js", "plain"), ("a.js.br", "smallest"), ("a.js.gz", "small"), ("b.css", "lone")] {
            std::fs::write(folder.path().join(name), content).expect("written");
        }
        let files = Files::open(Some(folder.path().to_owned()));
        for (path, accepted, content) in [
            ("/a.js", "gzip, br", "smallest"),
            ("/a.js", "br;q=0, gzip", "small"),
            ("/a.js", "br;q=0", "plain"),
            ("/b.css", "br", "lone"),
        ] {
            let file = files.find(path, &accepting(accepted)).await.expect("a file");
            assert_eq!(files.read(&file).await, Some(Bytes::from(content)), "{path} {accepted}");
            assert_eq!(file.etag, etag(content.as_bytes()));
        }
        assert!(files.find("/b.js", &HeaderMap::new()).await.is_none());
        assert!(files.find("/a.js.br", &HeaderMap::new()).await.is_none(), "a form is no file of its own");
    }

    #[tokio::test]
    async fn a_file_that_was_written_anew_is_another_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(Some(folder.path().to_owned()));
        for content in ["one", "another"] {
            std::fs::write(folder.path().join("a.js"), content).expect("written");
            let file = files.find("/a.js", &HeaderMap::new()).await.expect("a file");
            assert_eq!(file.etag, etag(content.as_bytes()));
        }
    }
}
