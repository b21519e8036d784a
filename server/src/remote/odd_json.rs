//! Reads JSON as servers write it. Some print numbers that JSON does not know (`NaN`, `Infinity`) or that no float holds
//! (`1e999`): such a value counts as left out, and makes the rest of the answer no worse.

use serde::de::DeserializeOwned;

/// What else may stand in the place of a number, the longest first.
const NO_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body).or_else(|error| {
        let mended = with_null_for_no_numbers(body);
        // The first error is about what the server said.
        serde_json::from_slice(&mended).map_err(|_| error)
    })
}

fn with_null_for_no_numbers(body: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        let length = match rest[0] {
            b'"' => string_length(rest),
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

fn string_length(text: &[u8]) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
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
    fn what_is_no_json_stays_none() {
        for body in ["", "{", "<html>NaN</html>", "\"NaN", "N", "-"] {
            assert!(read::<Value>(body.as_bytes()).is_err(), "{body}");
        }
    }
}
