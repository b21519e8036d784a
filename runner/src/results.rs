//! What a task left in its results folder: the files that can be handed on, and those that can't, with the reason.
//! Only real folders and plain files count: no link in it leads anywhere.

use protocol::remote::RemoteFile;
use rustix::fs::{Access, access};
use std::fs::DirEntry;
use std::io;
use std::path::Path;

pub const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
/// As deep as folders in folders are followed; deeper ones are no results but a mistake.
const MAX_DEPTH: usize = 64;
/// Most names in a sentence about what is left out.
const MAX_NAMES: usize = 10;

#[derive(Debug, Default)]
pub struct Results {
    /// By path.
    pub files: Vec<RemoteFile>,
    /// Names, made printable, each with the reason.
    left_out: Vec<String>,
}

impl Results {
    /// Looks through a task's results folder. Blocks.
    pub fn find(folder: &Path) -> Self {
        let mut results = Self::default();
        let is_folder = std::fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir());
        if is_folder {
            results.add_folder(folder, "", 0);
        }
        results.files.sort_by(|a, b| a.path.cmp(&b.path));
        results
    }

    /// A sentence for the queue's log about what nobody will see.
    pub fn complaint(&self) -> Option<String> {
        let count = self.left_out.len();
        let more = if count > MAX_NAMES { ", …" } else { "" };
        let names = self.left_out.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
        (count > 0).then(|| format!("{count} results are left out: {names}{more}"))
    }

    fn add_folder(&mut self, folder: &Path, prefix: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.leave_out(prefix, "too deep");
        }
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.leave_out(prefix, &error.to_string()),
        };
        for entry in entries {
            match entry {
                Ok(entry) => self.add(&entry, prefix, depth),
                // The rest of a folder that breaks off can't be had either.
                Err(error) => return self.leave_out(prefix, &error.to_string()),
            }
        }
    }

    fn add(&mut self, entry: &DirEntry, prefix: &str, depth: usize) {
        let Ok(metadata) = entry.metadata() else {
            // A running task has just removed it.
            return;
        };
        if !metadata.is_dir() && !metadata.is_file() {
            return;
        }
        let name = match entry.file_name().into_string() {
            Ok(name) if !name.contains(char::is_control) => name,
            Ok(name) => return self.leave_out(&format!("{prefix}{name}"), "control characters"),
            Err(name) => {
                let name = name.as_encoded_bytes().escape_ascii();
                return self.leave_out(&format!("{prefix}{name}"), "not UTF-8");
            }
        };
        let path = format!("{prefix}{name}");
        if metadata.is_dir() {
            self.add_folder(&entry.path(), &format!("{path}/"), depth + 1);
        } else if let Err(error) = access(entry.path(), Access::READ_OK) {
            self.leave_out(&path, &io::Error::from(error).to_string());
        } else {
            let content_type = content_type(&path).to_owned();
            self.files.push(RemoteFile { path, size: metadata.len(), content_type });
        }
    }

    fn leave_out(&mut self, path: &str, reason: &str) {
        self.left_out.push(format!("\"{}\" ({reason})", path.escape_debug()));
    }
}

pub fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "txt" | "log" | "md" | "tap" | "out" | "err" => PLAIN_TEXT,
        "xml" => "application/xml",
        "json" => "application/json",
        "html" | "htm" => "text/html; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        _ => "application/octet-stream",
    }
}
