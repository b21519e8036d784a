//! Where answers go: standard output as lines, tables or the API's JSON; everything else to standard error.
//! What comes from elsewhere is printed without control characters, so that no name can steer a terminal.

use super::failure::Failure;
use protocol::text::is_reading_mark;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const YELLOW: &str = "\x1b[33m";
const BLUE: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";
/// Between two columns.
const GAP: &str = "  ";

/// Says something on standard error, whether or not somebody listens.
pub(super) fn note(words: impl Display) {
    let _unheard = writeln!(io::stderr(), "testarena: {words}");
}

/// One line of text without anything that steers a terminal, or turns what stands beside it.
pub(super) fn printable(text: &str) -> String {
    text.trim_end().chars().map(|c| if c.is_control() || is_reading_mark(c) { ' ' } else { c }).collect()
}

#[derive(Clone, Copy)]
pub(super) struct Out {
    pub(super) is_json: bool,
    pub(super) is_terminal: bool,
    has_colors: bool,
}

impl Out {
    pub(super) fn new(is_json: bool) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let is_terminal = io::stdout().is_terminal() && !is_dumb;
        Self { is_json, is_terminal, has_colors: is_terminal && !is_set("NO_COLOR") }
    }

    /// A line for people, where no JSON was asked for.
    pub(super) fn line(self, text: impl Display) -> Result<(), Failure> {
        if self.is_json {
            return Ok(());
        }
        write_all(format!("{text}\n").as_bytes())
    }

    /// One of the API's bodies, where JSON was asked for. A line break can only stand between its words.
    pub(super) fn body(self, text: &str) -> Result<(), Failure> {
        if !self.is_json {
            return Ok(());
        }
        write_all(format!("{}\n", text.trim().replace(['\r', '\n'], " ")).as_bytes())
    }

    /// Aligned columns; the head only for people.
    pub(super) fn table(self, head: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        let head = head.iter().map(|&word| word.to_owned()).collect();
        let head: Vec<Vec<String>> = if self.is_terminal { vec![head] } else { Vec::new() };
        let rows: Vec<Vec<String>> = head.into_iter().chain(rows).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| columns_of(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        rows.iter().try_for_each(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                let cell = if cell.is_empty() { "-" } else { cell };
                format!("{}{}{GAP}", self.colored(cell), " ".repeat(width.saturating_sub(columns_of(cell))))
            });
            self.line(cells.collect::<String>().trim_end())
        })
    }

    /// A status word in its colour.
    pub(super) fn colored(self, word: &str) -> String {
        let color = match word {
            _ if !self.has_colors => return word.to_owned(),
            "passed" | "ok" => GREEN,
            "failed" | "error" | "unreachable" => RED,
            "aborted" | "degraded" | "skipped" => YELLOW,
            "running" | "in_progress" => BLUE,
            _ => return word.to_owned(),
        };
        format!("{color}{word}{PLAIN}")
    }
}

/// Bytes as they are, at once.
pub(super) fn write_all(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::of_output)
}

/// How many columns of a terminal a text takes at most: what is not ASCII may be wide.
pub(super) fn columns_of(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_steers_a_terminal() {
        assert_eq!(printable("a\x1b[31mb\u{9b}2Jc\r\nd\n"), "a [31mb 2Jc  d");
        assert_eq!(printable("fix\u{202e}drawkcab"), "fix drawkcab");
    }
}
