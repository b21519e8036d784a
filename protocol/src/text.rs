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

/// Where a text is wrong and how, as its parser says, but without the line itself, which may hold a secret.
pub fn wrong_at(text: &str, span: Option<Range<usize>>, message: &str) -> String {
    let before = span.and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1)).unwrap_or_default();
    format!("{line}{message}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
