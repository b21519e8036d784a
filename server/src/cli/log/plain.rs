//! Writes an event's line with everything that is no plain text written out: line ends, and what moves a terminal's
//! cursor or turns the order of its letters. The subscriber hands over an event at a time, with its own line end.

use protocol::text::is_reading_mark;
use std::fmt::Write as _;
use std::io::{self, Write};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    /// With colours, whose codes the subscriber writes; those in anybody else's words it has written out already.
    Coloured,
    Json,
}

pub(super) struct PlainLines<W> {
    inner: W,
    form: Form,
}

impl<W> PlainLines<W> {
    pub(super) fn text(inner: W, is_coloured: bool) -> Self {
        Self { inner, form: if is_coloured { Form::Coloured } else { Form::Text } }
    }

    pub(super) fn json(inner: W) -> Self {
        Self { inner, form: Form::Json }
    }
}

impl<W: Write> Write for PlainLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
        if text.chars().any(|c| is_odd(c, self.form)) {
            self.inner.write_all(written_out(text, end, self.form).as_bytes())?;
        } else {
            self.inner.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn is_odd(c: char, form: Form) -> bool {
    match c {
        '\t' => form == Form::Json,
        '\u{1b}' => form != Form::Coloured,
        c => c.is_control() || is_reading_mark(c),
    }
}

fn written_out(text: &str, end: &str, form: Form) -> String {
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // Writing to a string does not fail.
        let _ = match c {
            c if !is_odd(c, form) => plain.write_char(c),
            c if form == Form::Json => write!(plain, "\\u{:04x}", u32::from(c)),
            '\n' => plain.write_str("\\n"),
            '\r' => plain.write_str("\\r"),
            c => write!(plain, "\\u{{{:x}}}", u32::from(c)),
        };
    }
    plain.push_str(end);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str, make: impl FnOnce(Vec<u8>) -> PlainLines<Vec<u8>>) -> String {
        let mut lines = make(Vec::new());
        lines.write_all(line.as_bytes()).expect("written");
        String::from_utf8(lines.inner).expect("text")
    }

    #[test]
    fn nothing_in_an_event_ends_its_line_or_moves_the_cursor() {
        let line = "INFO no\n2026 ERROR\r\u{1b}[2Kadmin\u{9b}2J\u{85}\u{2028}\u{202e}x\0 ä\t😀\n";
        let plain = "INFO no\\n2026 ERROR\\r\\u{1b}[2Kadmin\\u{9b}2J\\u{85}\\u{2028}\\u{202e}x\\u{0} ä\t😀\n";
        assert_eq!(written(line, |inner| PlainLines::text(inner, false)), plain);
        assert_eq!(written("a\u{1b}[0mb\nc\n", |inner| PlainLines::text(inner, true)), "a\u{1b}[0mb\\nc\n");
        assert_eq!(written("{\"a\":\"\u{7f}\u{9b}\"}\n", PlainLines::json), "{\"a\":\"\\u007f\\u009b\"}\n");
    }
}
