//! Texts of the remote server's that are for people: cut and cleaned where they come in,
//! so that neither the database nor a page has to bear whatever a server says.

use crate::logs::without_escapes;
use protocol::api::MAX_SCENARIOS;
use protocol::names::split_task_id;
use protocol::remote::{QueueBody, QueueTask, TaskBody};
use protocol::text::is_reading_mark;

/// Most characters of a message: more than anybody reads, little enough for a thousand tasks.
const MAX_CHARS: usize = 2_000;

/// At most 2,000 characters, of those that a reader sees: without colours and all else that a terminal would obey, and
/// without what would turn its neighbours on a page round.
pub fn tidy(text: &mut String) {
    if text.contains(is_odd) {
        *text = readable(text);
    }
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
}

fn is_odd(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t')) || is_reading_mark(character)
}

fn readable(text: &str) -> String {
    let plain = without_escapes(text);
    let mut readable = String::with_capacity(plain.len());
    let mut characters = plain.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // Somebody put it there, and `PostgreSQL` takes it in no text.
            '\0' => readable.push(char::REPLACEMENT_CHARACTER),
            '\r' if characters.peek().is_some_and(|next| !matches!(next, '\r' | '\n')) => readable.push('\n'),
            character if is_odd(character) => {}
            character => readable.push(character),
        }
    }
    readable
}

pub fn tidied(mut text: String) -> String {
    tidy(&mut text);
    text
}

/// Also without tasks that are none of the queue's: whatever a server lists, no more than a job can have is looked at.
pub fn tidy_queue(queue: &mut QueueBody) {
    tidy(&mut queue.message);
    let is_own = |task: &QueueTask| {
        let of = split_task_id(&task.task_id);
        of.is_some_and(|(id, n)| id == queue.id && n as usize <= MAX_SCENARIOS)
    };
    if let Some(tasks) = &mut queue.tasks {
        tasks.retain(is_own);
        tasks.truncate(MAX_SCENARIOS);
    }
    for task in queue.tasks.iter_mut().flatten() {
        tidy(&mut task.message);
    }
}

pub fn tidy_task(task: &mut TaskBody) {
    tidy(&mut task.message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_holds_what_a_reader_sees() {
        assert_eq!(tidied("3 of 7\0checks\n".to_owned()), "3 of 7\u{fffd}checks\n");
        for (text, expected) in [
            ("a\x1b[31mb\x1b[0m\u{202e}c\u{200f}d\u{2066}e\u{61c}", "abcde"),
            ("see \x1b]8;;http://x/\x1b\\log\x1b]8;;\x07", "see log"),
            ("a\tb\r\nc\rd\u{9b}2J\u{7f}\u{85}\u{8}", "a\tb\nc\nd2J"),
            ("\u{2028}😀 ä\u{a0}", "😀 ä\u{a0}"),
        ] {
            assert_eq!(tidied(text.to_owned()), expected, "{text:?}");
        }
        assert_eq!(tidied("\x1b[31m".repeat(2_000) + "end"), "end");
        assert_eq!(tidied("ä".repeat(2_000)), "ä".repeat(2_000));
        assert_eq!(tidied("ä".repeat(2_001)), "ä".repeat(2_000) + "…");
    }
}
