//! When text matches a query: in any case, and whatever colours stand in between.
//! Both are folded the same way first; folding never adds or removes a line end.

use memchr::{memchr, memchr3, memmem};

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// A folded query.
pub(super) struct Needle {
    finder: memmem::Finder<'static>,
    /// ASCII needs no decoding, which is what makes the usual search quick.
    is_ascii: bool,
}

impl Needle {
    /// `None` for what no line can contain: nothing at all, or a line end.
    pub(super) fn new(query: &str) -> Option<Self> {
        let mut folded = Vec::new();
        let is_ascii = query.is_ascii();
        fold(query.as_bytes(), is_ascii, &mut folded);
        if folded.is_empty() || folded.contains(&b'\n') {
            return None;
        }
        Some(Self { finder: memmem::Finder::new(&folded).into_owned(), is_ascii })
    }

    /// Makes `text` comparable, in `folded`.
    pub(super) fn fold(&self, text: &[u8], folded: &mut Vec<u8>) {
        fold(text, self.is_ascii, folded);
    }

    /// Where folded text has the query first.
    pub(super) fn find(&self, folded: &[u8]) -> Option<usize> {
        self.finder.find(folded)
    }

    /// Length of the folded query in bytes.
    pub(super) fn len(&self) -> usize {
        self.finder.needle().len()
    }
}

fn fold(text: &[u8], is_ascii: bool, folded: &mut Vec<u8>) {
    folded.clear();
    strip_escapes(text, folded);
    if is_ascii || folded.is_ascii() {
        folded.make_ascii_lowercase();
        return;
    }
    // Character by character: lower-casing whole words would make the last sigma of a Greek word another letter.
    let lower: String = String::from_utf8_lossy(folded).chars().flat_map(char::to_lowercase).collect();
    folded.clear();
    folded.extend_from_slice(lower.as_bytes());
}

/// Text as it reads without colours and other terminal escape sequences.
pub fn without_escapes(text: &str) -> String {
    let mut stripped = Vec::with_capacity(text.len());
    strip_escapes(text.as_bytes(), &mut stripped);
    String::from_utf8_lossy(&stripped).into_owned()
}

/// Copies text without its terminal escape sequences.
fn strip_escapes(mut text: &[u8], stripped: &mut Vec<u8>) {
    while let Some(at) = memchr(ESC, text) {
        stripped.extend_from_slice(&text[..at]);
        text = &text[at..];
        text = &text[escape_length(text)..];
    }
    stripped.extend_from_slice(text);
}

/// Bytes of the escape sequence that `text` begins with. It never reaches over a line end.
fn escape_length(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'[') => 2 + sequence_length(&text[2..], 0x20..=0x3f, 0x40..=0x7e),
        Some(b']') => 2 + string_length(&text[2..]),
        Some(0x20..=0x7e) => 1 + sequence_length(&text[1..], 0x20..=0x2f, 0x30..=0x7e),
        _ => 1,
    }
}

/// Parameters or intermediates, and the byte that ends them.
fn sequence_length(text: &[u8], inner: std::ops::RangeInclusive<u8>, last: std::ops::RangeInclusive<u8>) -> usize {
    let inner = text.iter().take_while(|byte| inner.contains(byte)).count();
    inner + usize::from(text.get(inner).is_some_and(|byte| last.contains(byte)))
}

/// An operating system command (a title, a link) ends with BEL or ESC `\`.
fn string_length(text: &[u8]) -> usize {
    match memchr3(BEL, ESC, b'\n', text) {
        Some(at) if text[at] == BEL => at + 1,
        Some(at) if text[at..].starts_with(b"\x1b\\") => at + 2,
        Some(at) => at,
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(query: &str, text: &str) -> bool {
        let needle = Needle::new(query).unwrap();
        let mut folded = Vec::new();
        needle.fold(text.as_bytes(), &mut folded);
        needle.find(&folded).is_some()
    }

    #[test]
    fn case_does_not_matter_in_any_script() {
        assert!(matches("error", "An ERROR here"));
        assert!(matches("ERROR", "error"));
        assert!(matches("größe", "GRÖSSE GRÖßE"));
        assert!(matches("ΟΔΟΣ", "η οδοσ"));
        assert!(matches("ΟΔΟΣ", "ΟΔΟΣ"));
        assert!(matches("ошибка", "ОШИБКА"));
        assert!(!matches("warn", "error"));
    }

    #[test]
    fn colours_do_not_matter_and_are_not_found() {
        assert!(matches("error: disk", "\x1b[1;31mError\x1b[0m: \x1b[38;2;1;2;3mdisk\x1b[m"));
        assert!(matches("see log", "see \x1b]8;;http://x/\x1b\\log\x1b]8;;\x07"));
        assert!(matches("done", "\x1b(B\x1b=do\x1b7ne"));
        assert!(!matches("31m", "\x1b[31mred\x1b[0m"));
        assert!(matches("\x1b[31mred", "RED"));
    }

    #[test]
    fn folding_keeps_every_line_end() {
        let odd: [&[u8]; 8] =
            [b"\x1b\n", b"\x1b[\n", b"\x1b[1\n", b"\x1b]x\n", b"\x1b(\n", b"\xe2\n\x82\n", b"\x1b", b"\x1b]\x1b\n"];
        for text in odd {
            for query in ["x", "ä"] {
                let mut folded = Vec::new();
                Needle::new(query).unwrap().fold(text, &mut folded);
                let line_ends = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count();
                assert_eq!(line_ends(&folded), line_ends(text), "{text:?}");
            }
        }
    }

    #[test]
    fn what_no_line_contains_is_no_needle() {
        for query in ["", "a\nb", "\x1b[31m"] {
            assert!(Needle::new(query).is_none());
        }
    }
}
