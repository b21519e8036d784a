//! The site's built files: inside the binary (feature `embed-site`), else in a folder. Where nothing was built there
//! are none, and the pages come without scripts.

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::env;
use std::path::{Path, PathBuf};

#[cfg(feature = "embed-site")]
#[derive(rust_embed::RustEmbed)]
#[folder = "../target/site"]
struct Embedded;

#[derive(Clone)]
pub(super) struct Files {
    folder: Option<PathBuf>,
}

pub(super) struct File {
    pub(super) bytes: Bytes,
    pub(super) content_type: &'static str,
    pub(super) etag: String,
    pub(super) is_brotli: bool,
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
        Self { folder: folder.or_else(usual_folder) }
    }

    /// Read once, at start.
    pub(super) fn manifest(&self) -> Option<Manifest> {
        const NAME: &str = "manifest.json";
        let bytes = embedded(NAME).or_else(|| std::fs::read(self.folder.as_ref()?.join(NAME)).ok().map(Bytes::from))?;
        serde_json::from_slice(&bytes)
            .inspect_err(
                |error| tracing::error!(%error, "the site's manifest.json can't be read: pages have no scripts"),
            )
            .ok()
    }

    /// The file at an URL's path, in its compressed form where there is one and it is welcome.
    pub(super) async fn find(&self, url_path: &str, brotli_is_welcome: bool) -> Option<File> {
        let path = url_path.strip_prefix('/').filter(|path| is_plain(path))?;
        let content_type = content_type(path)?;
        let compressed = if brotli_is_welcome { self.read(&format!("{path}.br")).await } else { None };
        let is_brotli = compressed.is_some();
        let bytes = match compressed {
            Some(bytes) => bytes,
            None => self.read(path).await?,
        };
        Some(File { etag: etag(&bytes), bytes, content_type, is_brotli })
    }

    async fn read(&self, path: &str) -> Option<Bytes> {
        if let Some(bytes) = embedded(path) {
            return Some(bytes);
        }
        tokio::fs::read(self.folder.as_ref()?.join(path)).await.ok().map(Bytes::from)
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

    #[test]
    fn no_path_leads_out_of_the_site() {
        assert!(is_plain("pkg/testarena.0123abcd.js"));
        for path in ["../secret.js", "pkg/../../x.js", ".env", "pkg//x.js", "", "a\\b.js", "%2e%2e/x.js"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[tokio::test]
    async fn a_compressed_file_goes_to_those_who_take_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.js"), "plain").expect("written");
        std::fs::write(folder.path().join("a.js.br"), "short").expect("written");
        let files = Files::open(Some(folder.path().to_owned()));
        let found = async |welcome| files.find("/a.js", welcome).await.map(|file| (file.bytes, file.is_brotli));
        assert_eq!(found(true).await, Some((Bytes::from("short"), true)));
        assert_eq!(found(false).await, Some((Bytes::from("plain"), false)));
        assert!(files.find("/b.js", true).await.is_none());
    }
}
