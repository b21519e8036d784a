//! Lines by which a task tells how far it is: `::progress 0.4 3 of 7 checks`.
//! They are words for people. Whatever stands in one, it decides no verdict and breaks no page.

use protocol::text::is_reading_mark;

/// A message is one line on a page, in characters; what is longer belongs into the log.
const MAX_MESSAGE_CHARS: usize = 200;

/// Progress and message of such a line; `None` for any other. What a terminal would show of it counts: behind a carriage
/// return, where a tool's bar was written over, and without colours in front.
pub fn parse_progress(line: &[u8]) -> Option<(f64, String)> {
    let line = line.trim_ascii_end().rsplit(|byte| *byte == b'\r').next()?;
    let rest = without_colours(line).strip_prefix(b"::progress ")?;
    let text = printable(&String::from_utf8_lossy(rest));
    let (value, message) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    let progress: f64 = value.parse().ok()?;
    let message = message.trim().chars().take(MAX_MESSAGE_CHARS).collect();
    // The sum makes minus zero a zero.
    (0.0..=1.0).contains(&progress).then_some((progress + 0.0, message))
}

fn without_colours(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(b"\x1b[") {
        let Some(end) = rest.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b';')) else { break };
        if rest[end] != b'm' {
            break;
        }
        line = &rest[end + 1..];
    }
    line
}

/// The text without what a terminal would act upon, and without what would turn its neighbours on a page round.
fn printable(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\t' => cleaned.push(' '),
            '\u{1b}' => skip_sequence(&mut characters),
            odd if odd.is_control() || is_reading_mark(odd) => {}
            other => cleaned.push(other),
        }
    }
    cleaned
}

/// What follows an escape: a sequence of parameters up to a letter, a string up to its end, or one character.
fn skip_sequence(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        Some('[') => {
            let _last = characters.find(|character| ('@'..='~').contains(character));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let mut before = ' ';
            let _last = characters.find(|character| {
                let is_end = *character == '\u{7}' || (before == '\u{1b}' && *character == '\\');
                before = *character;
                is_end
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_told_from_output() {
        let parsed = |line: &str| parse_progress(line.as_bytes());
        assert_eq!(parsed("::progress 0.4 3 of 7 checks"), Some((0.4, "3 of 7 checks".to_owned())));
        assert_eq!(parsed("::progress 1\r"), Some((1.0, String::new())));
        assert_eq!(parsed("bar 10%\rbar 20%\r::progress 0.7 seven"), Some((0.7, "seven".to_owned())));
        assert_eq!(parsed("::progress 0.1 one\r::progress 0.2 two\r"), Some((0.2, "two".to_owned())));
        assert_eq!(parsed("\u{1b}[1;32m\u{1b}[0m::progress 0.3 x"), Some((0.3, "x".to_owned())));
        assert!(parsed("::progress -0.0").is_some_and(|(value, _)| value.is_sign_positive()));
        for line in [
            "",
            "::progress",
            "::progress x",
            "::progress 1.1 a",
            "::progress -0.1",
            "::progress NaN",
            " ::progress 1",
            "::progress 1\rdone",
            "\u{1b}[2K::progress 1",
            "::progress 1e999",
            "::progress inf",
            "::progress -1",
            "::progress 99999999999999999999",
            "::Progress 1",
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }

    #[test]
    fn a_message_is_short_and_plain() {
        let message = |text: &str| parse_progress(format!("::progress 0.5 {text}").as_bytes()).unwrap().1;
        for (text, expected) in [
            ("\u{1b}[1;31mred\u{1b}[0m end", "red end"),
            ("a\0b\u{7f}c\u{9b}d\te", "abcd e"),
            ("\u{1b}]8;;javascript:x\u{1b}\\link\u{1b}]8;;\u{7} end", "link end"),
            ("\u{1b}]never ended", ""),
            ("turn\u{202e}ed", "turned"),
            ("\u{1b}", ""),
            ("ü 😀", "ü 😀"),
        ] {
            assert_eq!(message(text), expected, "{text:?}");
        }
        assert_eq!(message(&"ä".repeat(1_000)).chars().count(), MAX_MESSAGE_CHARS);
        assert_eq!(parse_progress(b"::progress 0.5 \xff\x1b[0m!"), Some((0.5, "\u{fffd}!".to_owned())));
    }
}
