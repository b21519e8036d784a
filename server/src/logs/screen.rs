//! A line as a reader of a terminal sees it: what follows a carriage return takes the place of what was there, as
//! progress bars do by the thousand. Only what can be seen in the end remains of it; the plain log keeps all.

use super::fold::escape_length;
use super::style::Style;
use super::turns::{RESTART_BYTES, first_turn, last_restart};
use protocol::api::MAX_LINE_BYTES;
use std::borrow::Cow;

/// Of a longer line only so much of its end is played: whatever came before has been overwritten.
pub(super) const PLAYED_BYTES: usize = 64 * 1024;
const TAB: usize = 8;
/// Blanks that a line may have beside a few for each of its bytes: about a terminal's width.
const FREE_BLANKS: usize = 256;

/// A line without the carriage returns of its end; several come from devices and from Windows together.
pub(super) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |at| at + 1);
    &line[..end]
}

/// What of a line, without its end, is seen in the end, and where in it that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    AsItIs(usize),
    Played(usize),
}

pub(super) fn seen(line: &[u8]) -> Seen {
    let Some(tail) = line.len().checked_sub(PLAYED_BYTES + 1) else {
        return if first_turn(line).is_some() { Seen::Played(0) } else { Seen::AsItIs(0) };
    };
    match first_turn(&line[tail..]) {
        Some(at) => Seen::Played(tail + at),
        // The tail may begin within what lets the line begin anew.
        None => Seen::AsItIs(last_restart(&line[..tail + RESTART_BYTES]).unwrap_or(0)),
    }
}

#[derive(Clone, Copy)]
struct Cell {
    character: char,
    style: Style,
}

const BLANK: Cell = Cell { character: ' ', style: Style::PLAIN };

/// One row, as wide as is ever shown.
struct Screen {
    cells: Vec<Cell>,
    column: usize,
    /// Where the cursor comes back to.
    saved_column: usize,
    style: Style,
    /// A carriage return came last: what is written now replaces the line.
    has_returned: bool,
    /// A cursor that jumps costs no more than a line that is written.
    blanks_left: usize,
}

/// What is seen in the end of a line that begins with `style`, with its colours. It is not cut.
pub(super) fn play(line: &[u8], style: Style) -> String {
    let blanks_left = FREE_BLANKS + 4 * line.len();
    let mut screen = Screen { cells: Vec::new(), column: 0, saved_column: 0, style, has_returned: false, blanks_left };
    screen.take(line);
    screen.text(style)
}

impl Screen {
    fn take(&mut self, line: &[u8]) {
        let text: Cow<'_, str> = String::from_utf8_lossy(line);
        let mut rest: &str = &text;
        while let Some(character) = rest.chars().next() {
            if character == '\x1b' {
                let mut length = escape_length(rest.as_bytes());
                while !rest.is_char_boundary(length) {
                    length += 1;
                }
                self.obey(&rest.as_bytes()[..length]);
                rest = &rest[length..];
                continue;
            }
            rest = &rest[character.len_utf8()..];
            match character {
                '\r' => self.return_to_begin(),
                '\x08' => self.column = self.column.saturating_sub(1),
                '\t' => self.tab(),
                _ => self.put(character),
            }
        }
    }

    fn put(&mut self, character: char) {
        // A terminal would leave the end of a longer state beside the new one, which nobody wants to read.
        if std::mem::take(&mut self.has_returned) {
            self.cells.clear();
        }
        // Beyond what is shown there is no need to know.
        if self.column <= MAX_LINE_BYTES {
            let cell = Cell { character, style: self.style };
            self.reach(self.column);
            match self.cells.get_mut(self.column) {
                Some(old) => *old = cell,
                None => self.cells.push(cell),
            }
        }
        self.column += 1;
    }

    fn return_to_begin(&mut self) {
        (self.column, self.has_returned) = (0, true);
    }

    /// Moves on and leaves what is there.
    fn tab(&mut self) {
        self.move_to((self.column / TAB + 1) * TAB);
        self.reach(self.column);
    }

    /// Blanks stand where the cursor was only moved over; where there are too many, it stays at the end.
    fn reach(&mut self, column: usize) {
        let missing = column.saturating_sub(self.cells.len());
        if self.may_blank(missing) {
            self.cells.resize(self.cells.len() + missing, BLANK);
        } else {
            self.column = self.cells.len();
        }
    }

    fn may_blank(&mut self, cells: usize) -> bool {
        let left = self.blanks_left.checked_sub(cells);
        self.blanks_left = left.unwrap_or(self.blanks_left);
        left.is_some()
    }

    fn obey(&mut self, sequence: &[u8]) {
        let Some((last, parameters)) = sequence.strip_prefix(b"\x1b[").and_then(<[u8]>::split_last) else {
            match sequence {
                b"\x1b7" => self.saved_column = self.column,
                b"\x1b8" => self.move_to(self.saved_column),
                _ => {}
            }
            return;
        };
        let number = || std::str::from_utf8(parameters).ok().and_then(|digits| digits.parse().ok());
        match last {
            b'm' => self.style.take(sequence),
            b'K' => self.erase(number().unwrap_or(0)),
            // What stands below is other lines'.
            b'J' if number().unwrap_or(0) == 0 => self.erase(0),
            b'G' | b'`' => match number().unwrap_or(1).saturating_sub(1) {
                0 => self.return_to_begin(),
                column => self.move_to(column),
            },
            b'C' => self.move_to(self.column.saturating_add(number().unwrap_or(1).max(1))),
            b's' if parameters.is_empty() => self.saved_column = self.column,
            b'u' if parameters.is_empty() => self.move_to(self.saved_column),
            b'D' => self.column = self.column.saturating_sub(number().unwrap_or(1).max(1)),
            _ => {}
        }
    }

    /// Who moves the cursor writes beside what is there.
    fn move_to(&mut self, column: usize) {
        self.has_returned = false;
        self.column = column.min(MAX_LINE_BYTES);
    }

    /// To the line's end, from its beginning, or all of it.
    fn erase(&mut self, what: usize) {
        let column = self.column.min(self.cells.len());
        match what {
            0 => self.cells.truncate(column),
            1 if self.may_blank(column) => self.cells[..column].fill(BLANK),
            1 => {}
            _ => self.cells.clear(),
        }
    }

    fn text(self, begins_with: Style) -> String {
        let mut text = String::with_capacity(self.cells.len());
        let mut style = begins_with;
        for cell in self.cells {
            if cell.style != style {
                if !style.is_plain() {
                    text.push_str("\x1b[0m");
                }
                if !cell.style.is_plain() {
                    cell.style.write(&mut text);
                }
                style = cell.style;
            }
            text.push(cell.character);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::fold::without_escapes;
    use super::super::turns::written_anew;
    use super::*;

    fn shown(line: &str) -> String {
        let line = without_line_end(line.as_bytes());
        if let Some(rest) = written_anew(line) {
            let played = without_escapes(&play(line, Style::PLAIN));
            assert_eq!(without_escapes(&String::from_utf8_lossy(rest)), played, "{line:?}");
        }
        match seen(line) {
            Seen::AsItIs(from) => String::from_utf8_lossy(&line[from..]).into_owned(),
            Seen::Played(from) => play(&line[from..], Style::PLAIN),
        }
    }

    #[test]
    fn what_follows_a_carriage_return_overwrites() {
        for (line, expected) in [
            ("10%\r20%\r100%\n", "100%"),
            ("10%\r20%\r\n", "20%"),
            ("10%\r20%\r\r\r\n", "20%"),
            ("abcdef\rXY", "XY"),
            ("Starting\r\x1b[12G[ OK ]", "Starting   [ OK ]"),
            ("abc\r\x1b[0m\n", "abc"),
            ("abcdef\r\x1b[KXY", "XY"),
            ("abcdef\x1b[2K\rXY", "XY"),
            ("abcdef\r\x1b[0K\n", ""),
            ("|\x08/\x08-\x08 done", " done"),
            ("ab\x08\x08\x08\x08cd", "cd"),
            ("größe 1\rgröße 2", "größe 2"),
            ("a\tb\r\tc", "a       c"),
            ("\r12345\x1b[3Gx\x1b[Dy\x1b[2Cz", "12y45z"),
            ("\x1b]0;a\rb\x07x\ry", "y"),
            ("10%\x1b[2K\x1b[1G20%", "20%"),
            ("10%\x1b[1G\x1b[2K20%\x1b[2K\x1b[G30%\r\n", "30%"),
            ("working 10%\x1b[0Gdone", "done"),
            ("working 10%\x1b[1`done", "done"),
            ("10%\x1b[1K\x1b[3D20%", "20%"),
            ("ab\x1b[2Dc", "cb"),
            ("10%\x1b[1000D20%", "20%"),
            ("at \x1b710%\x1b820%\x1b8done", "at done"),
            ("at \x1b[s10%\x1b[u\x1b[K9%", "at 9%"),
            ("pass\x08\x08\x1b[J", "pa"),
            ("name\x1b[8Gvalue", "name   value"),
            ("\x1b[01;31m\x1b[Kerror\x1b[m\x1b[K here", "\x1b[01;31m\x1b[Kerror\x1b[m\x1b[K here"),
            ("two\x1b[2Blines", "two\x1b[2Blines"),
            ("", ""),
            ("\r\n", ""),
        ] {
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    #[test]
    fn colours_stay_with_what_they_coloured() {
        assert_eq!(shown("\x1b[33m 50%\r\x1b[32m100%\x1b[0m ok\r"), "\x1b[32m100%\x1b[0m ok");
        assert_eq!(shown("\x1b[31mabcd\x1b[0m\r\x1b[2Cxy"), "\x1b[31mab\x1b[0mxy");
        assert_eq!(shown("\x1b[31mab\rc"), "\x1b[31mc");
        let mut red = Style::default();
        red.read(b"\x1b[31m");
        assert_eq!(play(b"a\rb", red), "b");
        assert_eq!(play(b"a\r\x1b[mb", red), "\x1b[0mb");
    }

    #[test]
    fn of_a_long_line_the_end_is_played() {
        let states: String = (0..100_000).map(|n| format!("J {n:>6} of 100000 written\r")).collect::<Vec<_>>().concat();
        assert_eq!(shown(&(states.clone() + "J done: CHECKSUM MISMATCH\n")), "J done: CHECKSUM MISMATCH");
        assert_eq!(shown(&states), "J  99999 of 100000 written");
        let long = "x".repeat(2 * PLAYED_BYTES);
        assert!(shown(&format!("state\r{long}")).starts_with("xxx"));
        assert_eq!(shown(&format!("{long}\rstate")), "state");
        assert_eq!(shown(&format!("{long}\x1b[2K\x1b[1Gstate")), "state");
        assert!(shown(&format!("state\x1b[2K\x1b[1G{long}")).starts_with("xxx"));
        assert!(shown(&format!("state\x1b[G{long}")).starts_with("xxx"));
        assert_eq!(shown(&("|\x08/\x08-\x08".repeat(20_000) + "done")), "done");
        assert_eq!(shown(&("12345%\x1b[6D".repeat(20_000) + "done.   ")), "done.   ");
    }
}
