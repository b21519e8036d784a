//! A log line's ANSI colours as spans of text with classes, which the style sheet colours for light and dark.
//! Everything else that a terminal would obey (cursor movement, titles) is left out.

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';

/// How a piece of text looks.
#[allow(clippy::struct_excessive_bools)] // terminals switch each by itself
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    foreground: Option<u8>,
    background: Option<u8>,
    is_bold: bool,
    is_faint: bool,
    is_italic: bool,
    is_underlined: bool,
    is_reversed: bool,
}

/// A piece of a line; `class` is empty where it looks like any other text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) class: String,
    pub(crate) text: String,
}

/// Colours end with the line: a window of lines can start anywhere, so none can depend on those before it.
pub(crate) fn spans(line: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut look = Look::default();
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        text.push_str(&rest[..at]);
        let (sequence, after) = control(&rest[at..]);
        rest = after;
        if let Some(parameters) = sequence {
            push(&mut spans, look, &mut text);
            look.apply(parameters);
        }
    }
    text.push_str(rest);
    push(&mut spans, look, &mut text);
    spans
}

fn push(spans: &mut Vec<Span>, look: Look, text: &mut String) {
    if !text.is_empty() {
        spans.push(Span { class: look.class(), text: std::mem::take(text) });
    }
}

/// Splits one control character or escape sequence off the front: the parameters if it sets colours, and what follows.
fn control(text: &str) -> (Option<&str>, &str) {
    let Some(sequence) = text.strip_prefix(ESCAPE) else {
        let mut characters = text.chars();
        characters.next();
        return (None, characters.as_str());
    };
    if let Some(body) = sequence.strip_prefix('[') {
        let Some(end) = body.find(|c: char| ('@'..='~').contains(&c)) else { return (None, "") };
        let (parameters, after) = body.split_at(end);
        let is_colour = after.starts_with('m') && !parameters.starts_with('?');
        return (is_colour.then_some(parameters), &after[1..]);
    }
    if let Some(body) = sequence.strip_prefix(']') {
        // A title or a link: up to the bell or to ESC \.
        let end = body.find([BELL, ESCAPE]).unwrap_or(body.len());
        let after = &body[end..];
        return (None, after.strip_prefix(BELL).or_else(|| after.strip_prefix("\u{1b}\\")).unwrap_or(after));
    }
    let mut characters = sequence.chars();
    characters.next();
    (None, characters.as_str())
}

impl Look {
    fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split([';', ':']).map(|code| code.parse::<u8>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.is_bold = true,
                2 => self.is_faint = true,
                3 => self.is_italic = true,
                4 => self.is_underlined = true,
                7 => self.is_reversed = true,
                22 => (self.is_bold, self.is_faint) = (false, false),
                23 => self.is_italic = false,
                24 => self.is_underlined = false,
                27 => self.is_reversed = false,
                30..=37 => self.foreground = Some(code - 30),
                38 => self.foreground = extended(&mut codes),
                39 => self.foreground = None,
                40..=47 => self.background = Some(code - 40),
                48 => self.background = extended(&mut codes),
                49 => self.background = None,
                90..=97 => self.foreground = Some(code - 90 + 8),
                100..=107 => self.background = Some(code - 100 + 8),
                _ => {}
            }
        }
    }

    fn class(self) -> String {
        let mut class = String::new();
        let mut add = |name: &str, number: Option<u8>| {
            if !class.is_empty() {
                class.push(' ');
            }
            class.push_str(name);
            if let Some(number) = number {
                class.push_str(&number.to_string());
            }
        };
        if let Some(colour) = self.foreground {
            add("fg-", Some(colour));
        }
        if let Some(colour) = self.background {
            add("bg-", Some(colour));
        }
        let flags = [
            (self.is_bold, "is-bold"),
            (self.is_faint, "is-faint"),
            (self.is_italic, "is-italic"),
            (self.is_underlined, "is-underlined"),
            (self.is_reversed, "is-reversed"),
        ];
        for (_, name) in flags.into_iter().filter(|(is_set, _)| *is_set) {
            add(name, None);
        }
        class
    }
}

/// The rest of `38;5;n` or `38;2;r;g;b`, as the nearest of the sixteen colours that the style sheet knows.
fn extended(codes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    match codes.next()? {
        5 => Some(match codes.next()? {
            basic @ 0..16 => basic,
            cube @ 16..232 => {
                let level = |step: u8| step * 51;
                let cube = cube - 16;
                nearest(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            grey => {
                let level = (grey - 232) * 10 + 8;
                nearest(level, level, level)
            }
        }),
        2 => Some(nearest(codes.next()?, codes.next()?, codes.next()?)),
        _ => None,
    }
}

/// Each channel that is at least half as strong as the strongest counts; a strong strongest makes it bright.
fn nearest(red: u8, green: u8, blue: u8) -> u8 {
    let strongest = red.max(green).max(blue);
    if strongest < 64 {
        return 0;
    }
    let bit = |channel: u8, bit: u8| if channel > strongest / 2 { bit } else { 0 };
    let colour = bit(red, 1) | bit(green, 2) | bit(blue, 4);
    match (colour, strongest) {
        (7, 64..160) => 8,
        (_, 200..) => colour + 8,
        _ => colour,
    }
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
    fn large_palettes_become_the_nearest_of_sixteen() {
        for (code, class) in [
            ("38;5;9", "fg-9"),
            ("38;5;196", "fg-9"),
            ("38;2;20;20;20", "fg-0"),
            ("38;5;244", "fg-8"),
            ("38;2;0;180;0", "fg-2"),
            ("48;5;21", "bg-12"),
            ("38:5:9", "fg-9"),
        ] {
            assert_eq!(told(&format!("\u{1b}[{code}mx")), [span(class, "x")], "{code}");
        }
    }

    #[test]
    fn what_a_terminal_would_do_besides_is_left_out() {
        assert_eq!(told("a\u{1b}[2K\u{1b}[1Gb\r\u{8}c"), [span("", "abc")]);
        assert_eq!(told("\u{1b}]0;title\u{7}a\u{1b}]8;;link\u{1b}\\b"), [span("", "ab")]);
        assert_eq!(told("\u{1b}[?25lx"), [span("", "x")]);
    }

    #[test]
    fn a_cut_sequence_ends_with_the_line() {
        assert_eq!(told("a\u{1b}[3"), [span("", "a")]);
        assert_eq!(told("a\u{1b}"), [span("", "a")]);
        assert_eq!(told("a\u{1b}[38;5mb"), [span("", "a"), span("", "b")]);
    }
}
