//! When text matches a query: in any case, and whatever colours stand in between.
//! Both are folded the same way first; folding never adds or removes a line end.

use memchr::{memchr, memchr3, memmem};
use std::sync::LazyLock;

pub(super) const ESC: u8 = 0x1b;
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

    /// Makes `text` comparable unless it holds a sequence that is stopped at.
    pub(super) fn fold_unless(&self, text: &[u8], folded: &mut Vec<u8>, stop: impl Fn(&[u8]) -> bool) -> bool {
        folded.clear();
        if !strip_escapes(text, folded, stop) {
            return false;
        }
        lower_all(folded, self.is_ascii);
        true
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
    strip_escapes(text, folded, |_| false);
    lower_all(folded, is_ascii);
}

fn lower_all(folded: &mut Vec<u8>, is_ascii: bool) {
    folded.make_ascii_lowercase();
    if is_ascii || lower_in_place(folded) {
        return;
    }
    let lower = lower(folded);
    folded.clear();
    folded.extend_from_slice(lower.as_bytes());
}

/// Character by character: lower-casing whole words would make the last sigma of a Greek word another letter.
fn lower(text: &[u8]) -> String {
    let mut lower = String::with_capacity(text.len() + text.len() / 8);
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = next_beyond_ascii(rest.as_bytes(), 0) {
            lower.push_str(&rest[..at]);
            let mut characters = rest[at..].chars();
            match characters.next() {
                Some(character) if has_cases(character) => lower.extend(character.to_lowercase()),
                character => lower.extend(character),
            }
            rest = characters.as_str();
        }
        lower.push_str(rest);
        if !chunk.invalid().is_empty() {
            lower.push(char::REPLACEMENT_CHARACTER);
        }
    }
    lower
}

/// Lower-cases what is not ASCII; `false` where that changes lengths or something is not UTF-8, with nothing lost so far.
fn lower_in_place(text: &mut [u8]) -> bool {
    let table = &*LOWER;
    let mut at = 0;
    while let Some(next) = next_beyond_ascii(text, at) {
        at = next;
        // Letters of two bytes often stand together.
        while let [first @ 0xc2..=0xdf, second @ 0x80..=0xbf, ..] = &mut text[at..] {
            let lower = table[usize::from(*first & 0x1f) << 6 | usize::from(*second & 0x3f)];
            if lower == [0, 0] {
                return false;
            }
            [*first, *second] = lower;
            at += 2;
        }
        // No Chinese, Japanese or Korean character has cases.
        while let [0xe3..=0xe9, 0x80..=0xbf, 0x80..=0xbf, ..] = text[at..] {
            at += 3;
        }
        if text.get(at).is_none_or(u8::is_ascii) {
            continue;
        }
        let end = text.len().min(at + 4);
        let Some(character) = first_character(&text[at..end]) else { return false };
        let length = character.len_utf8();
        if has_cases(character) {
            let mut lower = character.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(lower), None) if lower.len_utf8() == length => {
                    lower.encode_utf8(&mut text[at..at + length]);
                }
                _ => return false,
            }
        }
        at += length;
    }
    true
}

/// The small letter of each character of two bytes, as bytes; zeroes where that has another length.
static LOWER: LazyLock<Box<[[u8; 2]; 0x800]>> = LazyLock::new(|| {
    let mut table = Box::new([[0; 2]; 0x800]);
    for (code, entry) in (0_u32..).zip(table.iter_mut()) {
        let mut lower = char::from_u32(code).into_iter().flat_map(char::to_lowercase);
        if let (Some(lower @ '\u{80}'..='\u{7ff}'), None) = (lower.next(), lower.next()) {
            lower.encode_utf8(entry);
        }
    }
    table
});

/// Where from `at` on the first byte is that is not ASCII, found eight at a time.
fn next_beyond_ascii(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(eight) = text.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
        let high_bits = u64::from_le_bytes(eight) & 0x8080_8080_8080_8080;
        if high_bits != 0 {
            return Some(at + high_bits.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    text[at..].iter().position(|byte| !byte.is_ascii()).map(|found| at + found)
}

/// The character that begins here; the last bytes may be another's.
fn first_character(bytes: &[u8]) -> Option<char> {
    if let [first @ 0xe1..=0xec, second @ 0x80..=0xbf, third @ 0x80..=0xbf, ..] = bytes {
        let code = u32::from(first & 0x0f) << 12 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
        return char::from_u32(code);
    }
    let valid = match std::str::from_utf8(bytes) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
    };
    valid.chars().next()
}

/// Most of what logs hold beyond ASCII and the alphabets has none: lines, arrows, Chinese, Japanese and Korean.
fn has_cases(character: char) -> bool {
    !matches!(character, '\u{2000}'..='\u{20ff}' | '\u{2190}'..='\u{24b5}' | '\u{2500}'..='\u{2bff}' | '\u{2e00}'..='\u{a63f}' | '\u{ac00}'..='\u{faff}' | '\u{1f000}'..)
}

/// Text as it reads without colours and other terminal escape sequences.
pub fn without_escapes(text: &str) -> String {
    let mut stripped = Vec::with_capacity(text.len());
    strip_escapes(text.as_bytes(), &mut stripped, |_| false);
    String::from_utf8_lossy(&stripped).into_owned()
}

/// Copies text without its terminal escape sequences, as far as the first that is stopped at; `false` if there is one.
fn strip_escapes(mut text: &[u8], stripped: &mut Vec<u8>, stop: impl Fn(&[u8]) -> bool) -> bool {
    while let Some(at) = next_escape(text) {
        stripped.extend_from_slice(&text[..at]);
        let (sequence, rest) = text[at..].split_at(escape_length(&text[at..]));
        if stop(sequence) {
            return false;
        }
        text = rest;
    }
    stripped.extend_from_slice(text);
    true
}

/// Where the next escape sequence begins; where one follows the other, looking for it costs more than looking at it.
pub(super) fn next_escape(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&ESC) { Some(0) } else { memchr(ESC, text) }
}

/// Bytes of the escape sequence that `text` begins with. It never reaches over a line end.
pub(super) fn escape_length(text: &[u8]) -> usize {
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
        matches_bytes(query, text.as_bytes())
    }

    fn matches_bytes(query: &str, text: &[u8]) -> bool {
        let needle = Needle::new(query).unwrap();
        let mut folded = Vec::new();
        needle.fold(text, &mut folded);
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
    fn folding_in_place_is_folding_character_by_character() {
        for character in '\u{80}'..=char::MAX {
            let text = format!("x{character}");
            let mut folded = Vec::new();
            fold(text.as_bytes(), false, &mut folded);
            let expected: String = text.chars().flat_map(char::to_lowercase).collect();
            assert_eq!(String::from_utf8(folded).unwrap(), expected, "{character}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_folded_as_it_is_shown() {
        assert!(matches_bytes("äB\u{fffd}", b"\xc3\x84b\xff"));
        assert!(matches_bytes("ö", b"\xff\xc3\x96"));
        assert!(matches_bytes("\u{fffd}x", b"a\xe2\x82x"));
        assert!(matches_bytes("istanbul ş", "İstanbul Ş".replace('İ', "I").as_bytes()));
        assert!(matches_bytes("äi\u{307}", "ÄİZ".as_bytes()));
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
