//! The text of a line as it is handed out: in the colours that are still set from the lines before it, short enough,
//! and leaving none behind that the next line does not have, so that it looks the same by itself and among others.

use super::fold::{ESC, escape_length};
use super::style::Style;
use memchr::memrchr;
use protocol::api::MAX_LINE_BYTES;

/// Stands where a line was cut.
const CUT_MARK: &str = "…";
/// Ends all colours.
const RESET: &str = "\x1b[0m";

/// The colours around what is shown of a line.
pub(super) struct Around {
    /// Those that are set where the line begins.
    pub(super) line: Style,
    /// Those in which what is shown of it begins.
    pub(super) text: Style,
    /// Those in which the next line begins.
    pub(super) next: Style,
}

/// The text with what makes it look the same by itself and after the lines before it.
pub(super) fn dressed(text: String, around: &Around) -> String {
    let begins_anew = text.is_empty() || text.starts_with(RESET) || text.starts_with("\x1b[m");
    if begins_anew {
        return finished(text, around);
    }
    let mut dressed = String::with_capacity(text.len() + 16);
    if around.line != around.text && !around.line.is_plain() {
        dressed.push_str(RESET);
    }
    if !around.text.is_plain() {
        around.text.write(&mut dressed);
    }
    if text.starts_with(&dressed) {
        return finished(text, around);
    }
    dressed.push_str(&text);
    finished(dressed, around)
}

/// Cut where it is too long, and with an end to what the next line does not begin with.
fn finished(mut text: String, around: &Around) -> String {
    let is_short = text.len() <= MAX_LINE_BYTES;
    let mut end = if is_short && leaks(&text, around) { RESET } else { "" };
    if text.len() + end.len() > MAX_LINE_BYTES {
        let room_for_end = if text.contains('\x1b') { RESET.len() } else { 0 };
        cut(&mut text, MAX_LINE_BYTES - CUT_MARK.len() - room_for_end);
        end = if leaks(&text, around) { "\x1b[0m…" } else { CUT_MARK };
    }
    text.push_str(end);
    text
}

/// Whether the text leaves other colours behind than the next line begins with, which then would have to end them.
fn leaks(text: &str, around: &Around) -> bool {
    let mut left = if text.is_empty() { around.line } else { Style::PLAIN };
    left.read(text.as_bytes());
    left != around.next && !left.is_plain()
}

/// Between characters, and not within an escape sequence, which would swallow the mark.
fn cut(text: &mut String, length: usize) {
    let mut end = text.floor_char_boundary(length);
    while let Some(at) = memrchr(ESC, &text.as_bytes()[..end])
        && at + escape_length(&text.as_bytes()[at..]) > end
    {
        end = at;
    }
    text.truncate(end);
}
