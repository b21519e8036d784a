//! How a terminal would colour what comes next: what colour sequences add up to, small enough for the line index.
//! A colour goes on over line ends, so a window that starts anywhere has to know what was set before it.

use super::fold::{ESC, escape_length, next_escape};
use memchr::{memchr, memmem};
use std::fmt::Write;

/// No colour sequence is longer; one that is sets nothing.
pub(super) const MAX_SEQUENCE: usize = 64;

/// Bytes at a text's end that are looked through first.
const NEAR: usize = 4 * 1024;

/// Bits of a colour: 24 for the number, above them its kind.
const PALETTE: u32 = 1 << 24;
const RGB: u32 = 2 << 24;
const COLOUR_BITS: u32 = 26;

/// Code that sets it and code that ends it, a bit each.
const FLAGS: [(u8, u8); 8] = [(1, 22), (2, 22), (3, 23), (4, 24), (5, 25), (7, 27), (8, 28), (9, 29)];

/// 0 is a terminal's own colour.
type Colour = u32;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    foreground: Colour,
    background: Colour,
    flags: u8,
}

impl Style {
    pub(super) const PLAIN: Self = Self { foreground: 0, background: 0, flags: 0 };

    pub(super) fn is_plain(self) -> bool {
        self == Self::PLAIN
    }

    /// As one number, for the index.
    pub(super) fn pack(self) -> u64 {
        u64::from(self.foreground) | u64::from(self.background) << COLOUR_BITS | u64::from(self.flags) << 56
    }

    pub(super) fn unpack(packed: u64) -> Self {
        let colour = |bits: u64| u32::try_from(bits & ((1 << COLOUR_BITS) - 1)).unwrap_or_default();
        let flags = u8::try_from(packed >> 56).unwrap_or_default();
        Self { foreground: colour(packed), background: colour(packed >> COLOUR_BITS), flags }
    }

    /// Takes in every colour sequence of a text. Of a long one its end is enough where all colours end there.
    pub(super) fn read(&mut self, mut text: &[u8]) {
        if let Some(at) = last_reset(text) {
            *self = Self::PLAIN;
            text = &text[at..];
        }
        while let Some(at) = next_escape(text) {
            text = &text[at..];
            let length = escape_length(text);
            self.take(&text[..length]);
            text = &text[length..];
        }
    }

    /// Takes in one escape sequence, which may be another than a colour's.
    pub(super) fn take(&mut self, sequence: &[u8]) {
        let parameters = sequence.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"m"));
        let is_colour = |parameters: &&[u8]| {
            sequence.len() <= MAX_SEQUENCE
                && parameters.iter().all(|byte| byte.is_ascii_digit() || b";:".contains(byte))
        };
        if let Some(parameters) = parameters.filter(is_colour) {
            self.apply(parameters);
        }
    }

    fn apply(&mut self, parameters: &[u8]) {
        let mut codes = parameters.split(|byte| *byte == b';');
        while let Some(code) = codes.next() {
            // `38:5:9` is one parameter with parts; `38;5;9` says the same in three.
            let (code, parts) = match memchr(b':', code) {
                Some(at) => (&code[..at], Some(&code[at + 1..])),
                None => (code, None),
            };
            match number(code) {
                0 => *self = Self::default(),
                // Of the kinds of underlines one is none.
                4 if parts == Some(b"0".as_slice()) => self.switch(24),
                code @ 30..=37 => self.foreground = PALETTE | (code - 30),
                38 => self.foreground = extended(parts, &mut codes),
                39 => self.foreground = 0,
                code @ 40..=47 => self.background = PALETTE | (code - 40),
                48 => self.background = extended(parts, &mut codes),
                49 => self.background = 0,
                // Of the underline, which has the text's here.
                58 => {
                    let _underline = extended(parts, &mut codes);
                }
                code @ 90..=97 => self.foreground = PALETTE | (code - 90 + 8),
                code @ 100..=107 => self.background = PALETTE | (code - 100 + 8),
                code => self.switch(code),
            }
        }
    }

    fn switch(&mut self, code: u32) {
        for (bit, (on, off)) in FLAGS.into_iter().enumerate() {
            if code == u32::from(on) {
                self.flags |= 1 << bit;
            } else if code == u32::from(off) {
                self.flags &= !(1 << bit);
            }
        }
    }

    /// The sequence that leads here from a terminal's own look.
    pub(super) fn write(self, text: &mut String) {
        text.push_str("\x1b[");
        let mut is_first = true;
        let mut add = |code: std::fmt::Arguments<'_>| {
            let separator = if std::mem::take(&mut is_first) { "" } else { ";" };
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}{code}");
        };
        for (bit, (on, _)) in FLAGS.into_iter().enumerate() {
            if self.flags & 1 << bit != 0 {
                add(format_args!("{on}"));
            }
        }
        for (colour, base) in [(self.foreground, 30), (self.background, 40)] {
            let number = colour & (PALETTE - 1);
            match (colour & !(PALETTE - 1), number) {
                (PALETTE, 0..8) => add(format_args!("{}", base + number)),
                (PALETTE, 8..16) => add(format_args!("{}", base + 60 + number - 8)),
                (PALETTE, _) => add(format_args!("{};5;{number}", base + 8)),
                (RGB, _) => {
                    let [_, red, green, blue] = number.to_be_bytes();
                    add(format_args!("{};2;{red};{green};{blue}", base + 8));
                }
                _ => {}
            }
        }
        text.push('m');
    }
}

/// Where near the end of a long text all colours end.
fn last_reset(text: &[u8]) -> Option<usize> {
    let near = text.len().checked_sub(NEAR)?;
    let found = |reset: &[u8]| memmem::rfind(&text[near..], reset);
    found(b"\x1b[0m").max(found(b"\x1b[m")).map(|at| near + at)
}

fn number(digits: &[u8]) -> u32 {
    let digit = |byte: &u8| u32::from(byte.saturating_sub(b'0'));
    digits.iter().fold(0, |sum, byte| sum.saturating_mul(10).saturating_add(digit(byte)))
}

/// The rest of `38;5;n`, `38;2;r;g;b`, `38:5:n`, `38:2:r:g:b` or, with a colour space, `38:2::r:g:b`.
fn extended<'a>(parts: Option<&'a [u8]>, codes: &mut impl Iterator<Item = &'a [u8]>) -> Colour {
    let Some(parts) = parts else { return colour(codes.map(number)) };
    let mut numbers = parts.split(|byte| *byte == b':').map(number);
    match (numbers.next(), numbers.clone().count()) {
        (Some(5), 1..) => colour([5].into_iter().chain(numbers)),
        (Some(2), 3) => colour([2].into_iter().chain(numbers)),
        (Some(2), 4..) => colour([2].into_iter().chain(numbers.skip(1))),
        _ => 0,
    }
}

fn colour(mut numbers: impl Iterator<Item = u32>) -> Colour {
    let mut byte = || numbers.next().unwrap_or_default().min(255);
    match byte() {
        5 => PALETTE | byte(),
        2 => RGB | byte() << 16 | byte() << 8 | byte(),
        _ => 0,
    }
}

/// Bytes at the end of a text that are the beginning of an escape sequence.
pub(super) fn begun_sequence(text: &[u8]) -> usize {
    let tail = &text[text.len().saturating_sub(MAX_SEQUENCE)..];
    let Some(at) = memchr::memrchr(ESC, tail) else { return 0 };
    let begun = &tail[at..];
    let inner = |byte: &u8| (0x20..=0x3f).contains(byte);
    let is_open = match begun.get(1) {
        None => true,
        Some(b'[') => begun[2..].iter().all(inner),
        Some(_) => false,
    };
    if is_open { begun.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> String {
        let mut style = Style::default();
        style.read(text.as_bytes());
        assert_eq!(Style::unpack(style.pack()), style);
        let mut written = String::new();
        style.write(&mut written);
        if style.is_plain() { String::new() } else { written }
    }

    #[test]
    fn sequences_add_up_to_one() {
        for (text, expected) in [
            ("\x1b[1;33mstart", "\x1b[1;33m"),
            ("\x1b[33m\x1b[1mx\x1b[39my", "\x1b[1m"),
            ("\x1b[1;31mx\x1b[0m", ""),
            ("\x1b[1;31mx\x1b[m", ""),
            ("\x1b[97;104;4m", "\x1b[4;97;104m"),
            ("\x1b[38;5;208;48;2;1;2;3m", "\x1b[38;5;208;48;2;1;2;3m"),
            ("\x1b[38;2;255;255;255m\x1b[7;9m", "\x1b[7;9;38;2;255;255;255m"),
            ("\x1b[1;2m\x1b[22m", ""),
            ("\x1b[?25l\x1b[2K\x1b]0;\x1b[31m\x07", "\x1b[31m"),
            ("\x1b[38;5m", "\x1b[30m"),
            ("\x1b[38:2::1:2:3mx", "\x1b[38;2;1;2;3m"),
            ("\x1b[38:2:1:2:3mx", "\x1b[38;2;1;2;3m"),
            ("\x1b[48:2::255:100:0m", "\x1b[48;2;255;100;0m"),
            ("\x1b[38:5:9m\x1b[48:5:1;1m", "\x1b[1;91;41m"),
            ("\x1b[31;38:5m", ""),
            ("\x1b[31;38:7:1:2:3:0m", ""),
            ("\x1b[4:3m", "\x1b[4m"),
            ("\x1b[1m\x1b[4:0m", "\x1b[1m"),
            ("\x1b[4m\x1b[4:0m", ""),
            ("\x1b[58;5;1m", ""),
            ("\x1b[58;2;1;3;4m\x1b[59m", ""),
            ("\x1b[58:2::1:2:3;1m", "\x1b[1m"),
            ("\x1b[3;0:1m", ""),
            ("\x1b[31", ""),
            ("\x1b[99999999999999999999m", ""),
        ] {
            assert_eq!(after(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_begun_sequence_is_known_by_its_beginning() {
        for (text, length) in
            [("a", 0), ("a\x1b", 1), ("a\x1b[1;3", 5), ("a\x1b[1;3m", 0), ("a\x1b[1m\x1b[", 2), ("", 0)]
        {
            assert_eq!(begun_sequence(text.as_bytes()), length, "{text:?}");
        }
    }
}
