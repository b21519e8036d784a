//! What in other people's texts is for terminals and not for readers.
//! Both sides of each wire ask here, so that what one leaves out the other does not show.

use std::fmt;
use std::ops::Range;

/// Line and paragraph ends, and marks that turn the direction of reading, also of what stands beside the text.
pub const fn is_reading_mark(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why a file's bytes are no text that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotUtf8 {
    /// As PowerShell's `>` and some editors on Windows write it.
    Utf16,
    Other,
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16 => "it is in UTF-16, as PowerShell's > writes it; save it as UTF-8",
            Self::Other => "it is not in UTF-8; save it as such",
        })
    }
}

impl std::error::Error for NotUtf8 {}

/// A file's text, without the mark that an editor on Windows may begin it with.
///
/// # Errors
/// It is in another encoding than UTF-8.
pub fn of_file(bytes: Vec<u8>) -> Result<String, NotUtf8> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
        return Err(NotUtf8::Utf16);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| NotUtf8::Other)?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

/// Where a settings file is wrong and how, as its parser says: the line's number and key, but not the line itself, which
/// may hold a secret.
pub fn wrong_at(text: &str, span: Option<Range<usize>>, message: &str) -> String {
    let Some((before, rest)) = span.and_then(|span| text.split_at_checked(span.start)) else {
        return message.to_owned();
    };
    let number = before.matches('\n').count() + 1;
    let begun = before.rsplit('\n').next().unwrap_or_default();
    let line = [begun, rest.lines().next().unwrap_or_default()].concat();
    let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match line.split_once('=').map(|(key, _)| key.trim()).filter(|key| is_key(key)) {
        Some(key) => format!("line {number}, {key}: {message}"),
        None => format!("line {number}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_key_and_without_its_value() {
        let text = "a = 1\nclient_secret = \"hunter2\"\nhunter2";
        let at = |start: usize| wrong_at(text, Some(start..start + 1), "no");
        assert_eq!(at(0), "line 1, a: no");
        assert_eq!(at(6), "line 2, client_secret: no");
        assert_eq!(at(24), "line 2, client_secret: no");
        assert_eq!(at(text.len() - 2), "line 3: no");
        assert_eq!(at(text.len() + 9), "no");
        assert_eq!(wrong_at(text, None, "no"), "no");
    }

    #[test]
    fn a_file_is_read_as_utf8_and_told_from_other_encodings() {
        for (bytes, expected) in [
            (&b"a = 1"[..], Ok("a = 1")),
            (b"\xef\xbb\xbfa = \xc3\xbc", Ok("a = ü")),
            (b"\xff\xfea\0", Err(NotUtf8::Utf16)),
            (b"\xfe\xff\0a", Err(NotUtf8::Utf16)),
            (b"a\0b\0", Err(NotUtf8::Utf16)),
            (b"a = \xfc", Err(NotUtf8::Other)),
            (b"", Ok("")),
        ] {
            assert_eq!(of_file(bytes.to_vec()).as_deref(), expected.as_deref(), "{bytes:?}");
        }
    }
}
