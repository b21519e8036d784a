//! What a task left in its results folder: the files that can be handed on, and those that can't, with the reason.
//! Only real folders and plain files count: no link in it leads anywhere.

use protocol::names::MAX_RESULT_PATH_BYTES;
use protocol::remote::RemoteFile;
use rustix::fd::AsFd;
use rustix::fs::{Access, CWD, Mode, OFlags, access, openat, syncfs};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::{DirEntry, File, Metadata};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
const UTF_8: &str = "; charset=utf-8";
/// As much of a text is looked at, in bytes: there may be thousands of them.
const LOOK_AT: usize = 8 * 1024;
/// As deep as folders in folders are followed; deeper ones are no results but a mistake.
const MAX_DEPTH: usize = 64;
/// Most names in a sentence about what is left out.
const MAX_NAMES: usize = 10;
/// More files than these are synced with all else that waits to be written: then that is sooner done.
const MANY_FILES: usize = 200;
/// Not to follow a link, nor to wait for the other end of a named pipe.
const CAREFULLY: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

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
        match std::fs::symlink_metadata(folder) {
            Ok(metadata) if metadata.is_dir() => results.add_folder(folder, "", 0),
            Ok(metadata) => results.leave_out("", kind_of(&metadata)),
            // The task has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => results.leave_out("", &error.to_string()),
        }
        results.files.sort_by(|a, b| a.path.cmp(&b.path));
        results
    }

    /// Makes sure that what was found is still there after a power cut. Blocks.
    pub fn sync(&self, folder: &Path) -> io::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        let top = open_folder(folder)?;
        if self.files.len() > MANY_FILES {
            return Ok(syncfs(top)?);
        }
        let mut folders = BTreeSet::new();
        for RemoteFile { path, .. } in &self.files {
            if let Some(file) = open_below(folder, path)? {
                file.sync_all()?;
            }
            folders.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
        }
        for path in folders {
            if let Some(inner) = unless_gone(open_in(&top, path, OFlags::DIRECTORY))? {
                inner.sync_all()?;
            }
        }
        top.sync_all()?;
        // The queue's folder, and the one that holds all queues', which an administrator may have put elsewhere by a
        // link: either may be new.
        folder.ancestors().skip(1).take(2).try_for_each(|above| File::open(above)?.sync_all())
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
        let name = match entry.file_name().into_string() {
            Ok(name) if !name.contains(char::is_control) => name,
            Ok(name) => return self.leave_out(&format!("{prefix}{name}"), "control characters"),
            Err(name) => {
                let name = name.as_encoded_bytes().escape_ascii();
                return self.leave_out(&format!("{prefix}{name}"), "not UTF-8");
            }
        };
        let path = format!("{prefix}{name}");
        if path.len() > MAX_RESULT_PATH_BYTES {
            return self.leave_out(&path, "its path is too long");
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // A running task has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.leave_out(&path, &error.to_string()),
        };
        if metadata.is_dir() {
            self.add_folder(&entry.path(), &format!("{path}/"), depth + 1);
        } else if !metadata.is_file() {
            self.leave_out(&path, kind_of(&metadata));
        } else if let Err(error) = access(entry.path(), Access::READ_OK) {
            self.leave_out(&path, &io::Error::from(error).to_string());
        } else {
            let content_type = match openat(CWD, entry.path(), CAREFULLY, Mode::empty()) {
                Ok(file) => content_type(&path, &file.into()),
                // A running task has just put something else in its place.
                Err(_) => type_by_name(&path),
            };
            let content_type = content_type.to_owned();
            self.files.push(RemoteFile { path, size: metadata.len(), content_type });
        }
    }

    /// An empty path is the results folder itself.
    fn leave_out(&mut self, path: &str, reason: &str) {
        let name = match path {
            "" => "the results folder".to_owned(),
            path => format!("\"{}\"", path.escape_debug()),
        };
        self.left_out.push(format!("{name} ({reason})"));
    }
}

/// What something is that is no result.
fn kind_of(metadata: &Metadata) -> &'static str {
    if metadata.is_symlink() { "a link" } else { "no plain file" }
}

/// Opens a plain file below a folder without following any link; `None` where there is no such file.
pub fn open_below(folder: &Path, path: &str) -> io::Result<Option<File>> {
    let open = || open_in(openat(CWD, folder, CAREFULLY | OFlags::DIRECTORY, Mode::empty())?, path, OFlags::empty());
    let Some(file) = unless_gone(open())? else { return Ok(None) };
    let is_plain = file.metadata()?.is_file();
    Ok(is_plain.then_some(file))
}

fn open_folder(path: &Path) -> io::Result<File> {
    Ok(openat(CWD, path, CAREFULLY | OFlags::DIRECTORY, Mode::empty())?.into())
}

fn open_in(top: impl AsFd, path: &str, kind: OFlags) -> rustix::io::Result<File> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut at = openat(top, ".", CAREFULLY | OFlags::DIRECTORY, Mode::empty())?;
    for segment in folders.split('/').filter(|segment| !segment.is_empty()) {
        at = openat(&at, segment, CAREFULLY | OFlags::DIRECTORY, Mode::empty())?;
    }
    openat(&at, name, CAREFULLY | kind, Mode::empty()).map(File::from)
}

fn unless_gone(opened: rustix::io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::NAMETOOLONG | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The type of a file by its name, and of a text by how it begins as well. Blocks.
pub fn content_type(path: &str, file: &File) -> &'static str {
    let by_name = type_by_name(path);
    let Some(kind) = by_name.strip_suffix(UTF_8) else {
        return by_name;
    };
    let mut start = [0; LOOK_AT];
    // One that can't be read is not handed on.
    let length = file.read_at(&mut start, 0).unwrap_or(0);
    match (kind, encoding(&start[..length])) {
        (_, Encoding::Utf8) => by_name,
        ("text/plain", Encoding::Utf16) => "text/plain; charset=utf-16",
        ("text/plain", Encoding::Utf16BigEndian) => "text/plain; charset=utf-16be",
        ("text/plain", Encoding::Other) => "text/plain; charset=windows-1252",
        ("text/csv", Encoding::Utf16) => "text/csv; charset=utf-16",
        ("text/csv", Encoding::Utf16BigEndian) => "text/csv; charset=utf-16be",
        ("text/csv", Encoding::Other) => "text/csv; charset=windows-1252",
        // A page may say by itself what it is written in.
        _ => "text/html",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// With the low byte first, as Windows writes it.
    Utf16,
    Utf16BigEndian,
    /// Nobody can tell which; what browsers take such a text for is the best guess.
    Other,
}

fn encoding(start: &[u8]) -> Encoding {
    match std::str::from_utf8(start) {
        _ if start.starts_with(&[0xff, 0xfe]) => Encoding::Utf16,
        _ if start.starts_with(&[0xfe, 0xff]) => Encoding::Utf16BigEndian,
        // Its last character may be cut.
        Err(error) if error.error_len().is_some() => Encoding::Other,
        _ => Encoding::Utf8,
    }
}

fn type_by_name(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "txt" | "log" | "md" | "tap" | "out" | "err" => PLAIN_TEXT,
        "xml" => "application/xml",
        "json" => "application/json",
        "html" | "htm" => "text/html; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "png" => "image/png",
        "apng" => "image/apng",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_how_it_begins() {
        let long = format!("{}ü", "x".repeat(LOOK_AT - 1));
        for (start, expected) in [
            (&b""[..], Encoding::Utf8),
            ("Grüße".as_bytes(), Encoding::Utf8),
            (&long.as_bytes()[..LOOK_AT], Encoding::Utf8),
            (&b"\xef\xbb\xbfx"[..], Encoding::Utf8),
            (&b"\xff\xfeh\0i\0"[..], Encoding::Utf16),
            (&b"\xfe\xff\0h\0i"[..], Encoding::Utf16BigEndian),
            (&b"Gr\xfc\xdfe"[..], Encoding::Other),
        ] {
            assert_eq!(encoding(start), expected, "{start:?}");
        }
    }
}
