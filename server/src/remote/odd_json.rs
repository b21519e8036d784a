//! Reads JSON as servers write it. Some print numbers that JSON does not know (`NaN`, `Infinity`) or that no float holds
//! (`1e999`): such a value counts as left out. Some put what is no text into texts. Neither makes the rest any worse.

use serde::de::DeserializeOwned;
use std::io::Write;

/// What else may stand in the place of a number, the longest first.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
/// Editors and frameworks of Windows write it before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Bytes of `\uXXXX`.
const ESCAPED_UNIT: usize = 6;

pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body).or_else(|error| {
        // The first error is about what the server said.
        serde_json::from_slice(&mended(body)).map_err(|_| error)
    })
}

fn mended(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let body = text.trim_start_matches(BYTE_ORDER_MARK).as_bytes();
    let mut mended = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        let length = match rest[0] {
            b'"' => {
                at += mend_string(rest, &mut mended);
                continue;
            }
            b'-' | b'0'..=b'9' | b'I' | b'N' => {
                if let Some(length) = no_number_length(rest) {
                    mended.extend_from_slice(b"null");
                    at += length;
                    continue;
                }
                number_length(rest)
            }
            _ => 1,
        };
        mended.extend_from_slice(&rest[..length]);
        at += length;
    }
    mended
}

/// Copies the string that `text` begins with, as it was meant; gives its length.
fn mend_string(text: &[u8], mended: &mut Vec<u8>) -> usize {
    mended.push(b'"');
    let mut at = 1;
    while let Some(first) = text.get(at) {
        let (length, means) = piece(&text[at..]);
        match means {
            Means::Itself => mended.extend_from_slice(&text[at..at + length]),
            Means::NoCharacter => mended.extend_from_slice(br"\ufffd"),
            Means::Byte => {
                // Writing to a vector does not fail.
                let _ = write!(mended, "\\u{first:04x}");
            }
        }
        at += length;
        if *first == b'"' {
            break;
        }
    }
    at
}

/// What stands in a string.
enum Means {
    Itself,
    /// Half of a character, which Python makes of a byte that is no text.
    NoCharacter,
    /// One that has to be escaped: of a shell script's output, or of a path of Windows.
    Byte,
}

/// Bytes of what comes next in a string, and what it means.
fn piece(text: &[u8]) -> (usize, Means) {
    match (text, escaped_unit(text)) {
        (_, Some(0xd800..=0xdbff)) if matches!(escaped_unit(&text[ESCAPED_UNIT..]), Some(0xdc00..=0xdfff)) => {
            (2 * ESCAPED_UNIT, Means::Itself)
        }
        (_, Some(0xd800..=0xdfff)) => (ESCAPED_UNIT, Means::NoCharacter),
        (_, Some(_)) => (ESCAPED_UNIT, Means::Itself),
        ([b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..], _) => (2, Means::Itself),
        ([..0x20 | b'\\', ..], _) => (1, Means::Byte),
        _ => (1, Means::Itself),
    }
}

/// The number that `text` begins with as `\uXXXX`.
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn number_length(text: &[u8]) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    text.iter().take_while(|byte| is_part(byte)).count().max(1)
}

fn no_number_length(text: &[u8]) -> Option<usize> {
    if let Some(word) = NO_NUMBERS.iter().find(|word| text.starts_with(word)) {
        return Some(word.len());
    }
    let length = number_length(text);
    let number = std::str::from_utf8(&text[..length]).ok()?.parse::<f64>().ok()?;
    number.is_infinite().then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_value_that_is_no_number_counts_as_left_out() {
        let body = br#"{"a":NaN,"b":[-Infinity,1e999,-1e-3],"c":"NaN \" 1e999","d":Infinity}"#;
        let expected = json!({"a": null, "b": [null, null, -0.001], "c": "NaN \" 1e999", "d": null});
        assert_eq!(read::<Value>(body).unwrap(), expected);
    }

    #[test]
    fn a_text_that_is_no_text_is_read_as_well_as_it_can_be() {
        for (body, expected) in [
            (br#"{"a":"x\udcffy"}"#.as_slice(), "x\u{fffd}y"),
            (br#"{"a":"\ud83d\ude00 \udcff"}"#, "\u{1f600} \u{fffd}"),
            (br#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (br#"{"a":"\ud83dx"}"#, "\u{fffd}x"),
            (br#"{"a":"\\udcff \udcff"}"#, "\\udcff \u{fffd}"),
            (b"{\"a\":\"\xe4\"}", "\u{fffd}"),
            (b"\xef\xbb\xbf{\"a\":\"ok\"}", "ok"),
            (b"{\"a\":\"one\ntwo\x1b\"}", "one\ntwo\u{1b}"),
            (br#"{"a":"C:\data \x41 \u12 \'"}"#, "C:\\data \\x41 \\u12 \\'"),
            (br#"{"\udcff":NaN,"a":"NaN \udcff"}"#, "NaN \u{fffd}"),
        ] {
            assert_eq!(read::<Value>(body).unwrap()["a"], expected, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for body in ["", "{", "<html>NaN</html>", "\"NaN", "N", "-", "\"\\", "\"\\ud83d", "\"\\udc"] {
            assert!(read::<Value>(body.as_bytes()).is_err(), "{body}");
        }
    }
}
