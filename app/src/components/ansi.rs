//! A log line as a terminal shows it: its colours as spans of text with classes, which the style sheet colours for
//! light and dark; what a carriage return overwrites is overwritten. Everything else that a terminal would obey
//! (cursor movement, titles) is left out.

use std::mem::take;

mod look;

use look::Look;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
const BACKSPACE: char = '\u{8}';

/// A piece of a line; `class` is empty where it looks like any other text, `style` where it has no colour of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) class: String,
    pub(crate) style: Option<String>,
    pub(crate) text: String,
}

pub(crate) fn spans(line: &str) -> Vec<Span> {
    let mut screen = Screen::default();
    screen.write(line);
    screen.into_spans()
}

/// The line as text alone.
pub(crate) fn plain(line: &str) -> String {
    spans(line).into_iter().map(|span| span.text).collect()
}

/// One line of a terminal: what has been written where, and where one writes next.
#[derive(Default)]
struct Screen {
    look: Look,
    /// Pieces in the order of the line; all of it, as long as nothing is overwritten.
    pieces: Vec<(Look, String)>,
    /// Characters before the place where one writes next; none at the end.
    column: Option<usize>,
}

impl Screen {
    fn write(&mut self, line: &str) {
        let mut rest = line;
        while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
            self.put(&rest[..at]);
            let (control, after) = control(&rest[at..]);
            rest = after;
            match control {
                Control::Colours(parameters) => self.look.apply(parameters),
                // At the line's end it says no more than that it ends there.
                Control::Return if after.is_empty() => {}
                Control::Return => self.column = Some(0),
                Control::Back => self.column = Some(self.place().saturating_sub(1)),
                Control::EraseToEnd => self.cut(),
                Control::Other => {}
            }
        }
        self.put(rest);
    }

    fn place(&self) -> usize {
        self.column.unwrap_or_else(|| self.pieces.iter().map(|(_, text)| text.chars().count()).sum())
    }

    fn put(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let Some(column) = self.column else { return self.append(self.look, text) };
        let count = text.chars().count();
        let old = self.cells();
        self.pieces.clear();
        for (look, character) in old.iter().take(column) {
            self.append(*look, character.encode_utf8(&mut [0; 4]));
        }
        self.append(self.look, text);
        for (look, character) in old.iter().skip(column + count) {
            self.append(*look, character.encode_utf8(&mut [0; 4]));
        }
        self.column = Some(column + count).filter(|column| *column < old.len());
    }

    fn append(&mut self, look: Look, text: &str) {
        match self.pieces.last_mut() {
            Some((last, piece)) if *last == look => piece.push_str(text),
            _ => self.pieces.push((look, text.to_owned())),
        }
    }

    fn cells(&self) -> Vec<(Look, char)> {
        self.pieces.iter().flat_map(|(look, text)| text.chars().map(|character| (*look, character))).collect()
    }

    fn cut(&mut self) {
        let Some(column) = self.column.take() else { return };
        let kept = self.cells();
        self.pieces.clear();
        for (look, character) in kept.into_iter().take(column) {
            self.append(look, character.encode_utf8(&mut [0; 4]));
        }
    }

    fn into_spans(mut self) -> Vec<Span> {
        let span = |(look, text): (Look, String)| Span { class: look.class(), style: look.style(), text };
        take(&mut self.pieces).into_iter().map(span).collect()
    }
}

/// What a control character or an escape sequence asks for.
enum Control<'a> {
    Colours(&'a str),
    Return,
    Back,
    EraseToEnd,
    Other,
}

/// Splits one off the front.
fn control(text: &str) -> (Control<'_>, &str) {
    let mut characters = text.chars();
    match characters.next() {
        Some(ESCAPE) => {}
        Some('\r') => return (Control::Return, characters.as_str()),
        Some(BACKSPACE) => return (Control::Back, characters.as_str()),
        _ => return (Control::Other, characters.as_str()),
    }
    let sequence = characters.as_str();
    if let Some(body) = sequence.strip_prefix('[') {
        let Some(end) = body.find(|c: char| ('@'..='~').contains(&c)) else { return (Control::Other, "") };
        let (parameters, after) = body.split_at(end);
        let control = match (&after[..1], parameters) {
            ("m", parameters) if !parameters.starts_with(['?', '>', '<', '=']) => Control::Colours(parameters),
            ("K", "" | "0") => Control::EraseToEnd,
            _ => Control::Other,
        };
        return (control, &after[1..]);
    }
    if let Some(body) = sequence.strip_prefix(']') {
        // A title or a link: up to the bell or to ESC \.
        let end = body.find([BELL, ESCAPE]).unwrap_or(body.len());
        let after = &body[end..];
        return (Control::Other, after.strip_prefix(BELL).or_else(|| after.strip_prefix("\u{1b}\\")).unwrap_or(after));
    }
    let mut characters = sequence.chars();
    characters.next();
    (Control::Other, characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Vec<(String, String)> {
        spans(line).into_iter().map(|span| (span.class, span.text)).collect()
    }

    fn span(class: &str, text: &str) -> (String, String) {
        (class.to_owned(), text.to_owned())
    }

    #[test]
    fn plain_text_is_one_plain_span() {
        assert_eq!(told("nothing to see, äöü\tok"), [span("", "nothing to see, äöü\tok")]);
        assert_eq!(told(""), []);
    }

    #[test]
    fn colours_and_weights_apply_until_they_are_reset() {
        assert_eq!(
            told("\u{1b}[31;1mFAIL\u{1b}[22m half\u{1b}[0m rest"),
            [span("fg-1 is-bold", "FAIL"), span("fg-1", " half"), span("", " rest")]
        );
        assert_eq!(
            told("\u{1b}[97;44mx\u{1b}[49my\u{1b}[mz"),
            [span("fg-15 bg-4", "x"), span("fg-15", "y"), span("", "z")]
        );
    }

    #[test]
    fn large_palettes_and_true_colours_are_as_they_are_meant() {
        for (code, class, style) in [
            ("38;5;9", "fg-9", None),
            ("38;5;196", "fg-rgb", Some("--fg:#ff0000")),
            ("38;5;244", "fg-rgb", Some("--fg:#808080")),
            ("38;2;20;180;0", "fg-rgb", Some("--fg:#14b400")),
            ("48;5;21", "bg-rgb", Some("--bg:#0000ff")),
            ("38:5:9", "fg-9", None),
            ("38:2:1:2:3", "fg-rgb", Some("--fg:#010203")),
            ("38:2::1:2:3", "fg-rgb", Some("--fg:#010203")),
            ("38;2;1;2;3;48;2;4;5;6", "fg-rgb bg-rgb", Some("--fg:#010203;--bg:#040506")),
            ("4:3", "is-underlined", None),
            ("58;5;1", "", None),
            ("58:2::1:2:3;1", "is-bold", None),
        ] {
            let drawn = spans(&format!("\u{1b}[{code}mx"));
            assert_eq!((drawn[0].class.as_str(), drawn[0].style.as_deref()), (class, style), "{code}");
        }
    }

    #[test]
    fn what_a_carriage_return_overwrites_is_overwritten() {
        assert_eq!(told("10 %\r20 %\r100 %"), [span("", "100 %")]);
        assert_eq!(told("loading\rok"), [span("", "okading")]);
        assert_eq!(told("loading\r\u{1b}[Kok"), [span("", "ok")]);
        assert_eq!(told("done\r"), [span("", "done")]);
        assert_eq!(told("ab\u{8}c"), [span("", "ac")]);
        assert_eq!(told("abc\r\u{1b}[31mx"), [span("fg-1", "x"), span("", "bc")]);
        assert_eq!(told("äöü\rx"), [span("", "xöü")]);
    }

    #[test]
    fn what_a_terminal_would_do_besides_is_left_out() {
        assert_eq!(told("a\u{1b}[2K\u{1b}[1Gb"), [span("", "ab")]);
        assert_eq!(told("\u{1b}]0;title\u{7}a\u{1b}]8;;link\u{1b}\\b"), [span("", "ab")]);
        assert_eq!(told("\u{1b}[?25lx\u{1b}[>4;2my"), [span("", "xy")]);
    }

    #[test]
    fn a_cut_sequence_ends_with_the_line() {
        assert_eq!(told("a\u{1b}[3"), [span("", "a")]);
        assert_eq!(told("a\u{1b}"), [span("", "a")]);
        assert_eq!(told("a\u{1b}[38;5mb"), [span("", "ab")]);
    }
}
