//! Where a line is not only written on: returns, backspaces, and sequences that move the cursor back or clear something.
//! Found without playing the line, since a search asks it of every line.

use super::fold::{ESC, escape_length};
use memchr::{memchr, memchr2, memchr3, memrchr2_iter};
use protocol::api::MAX_LINE_BYTES;

pub(super) const BACKSPACE: u8 = 0x08;
/// Bytes of the longest sequence that lets a line begin anew.
pub(super) const RESTART_BYTES: usize = 4;

/// Where a line is first not only written on.
pub(super) fn first_turn(line: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        if line.get(at) != Some(&ESC) {
            at += memchr3(b'\r', BACKSPACE, ESC, &line[at..])?;
        }
        let length = if line[at] == ESC { escape_length(&line[at..]) } else { 0 };
        if length == 0 || turns_back(&line[at..at + length]) {
            return Some(at);
        }
        at += length;
    }
}

/// Whether a sequence moves the cursor back or clears what was written. An `ESC [ K` where one writes clears nothing;
/// some programs send one after each colour.
pub(super) fn turns_back(sequence: &[u8]) -> bool {
    match sequence {
        [ESC, b'8'] | [ESC, b'[', b'1' | b'2', b'K'] | [ESC, b'[', b'u'] => true,
        [ESC, b'[', .., last] => matches!(last, b'G' | b'`' | b'D'),
        _ => false,
    }
}

/// Where a line begins anew for the last time: behind a return, or what moves to the first column or clears all of it.
pub(super) fn last_restart(line: &[u8]) -> Option<usize> {
    memrchr2_iter(b'\r', ESC, line).find_map(|at| match &line[at..] {
        [b'\r', ..] => Some(at + 1),
        [_, b'[', b'G', ..] => Some(at + 3),
        [_, b'[', b'0' | b'1', b'G', ..] | [_, b'[', b'2', b'K', ..] => Some(at + 4),
        _ => None,
    })
}

/// What a line ends with, where that replaces all before it and is only written on and coloured: what is seen of it,
/// without playing it. So it is with nearly all that progress bars print.
pub(super) fn written_anew(line: &[u8]) -> Option<&[u8]> {
    let from = last_restart(line)?;
    let (before, rest) = line.split_at(from);
    let returns: [&[u8]; 4] = [b"\r", b"\x1b[G", b"\x1b[0G", b"\x1b[1G"];
    let is_return = |before: &[u8]| returns.iter().any(|way| before.ends_with(way));
    let is_at_begin = is_return(before) || before.strip_suffix(b"\x1b[2K").is_some_and(is_return);
    let mut text = rest;
    let mut has_text = false;
    while let Some(at) = memchr2(ESC, b'\t', text) {
        let length = escape_length(&text[at..]);
        let only_colours = matches!(&text[at..at + length], [ESC, b'[', .., b'm'] | [ESC, b'[', b'K']);
        if !only_colours {
            return None;
        }
        has_text |= at > 0;
        text = &text[at + length..];
    }
    has_text |= !text.is_empty();
    let is_plain = memchr(BACKSPACE, rest).is_none();
    (is_at_begin && has_text && is_plain && rest.len() <= MAX_LINE_BYTES).then_some(rest)
}
