//! Texts of the remote server's that are for people: cut and cleaned where they come in,
//! so that neither the database nor a page has to bear whatever a server says.

use protocol::remote::{QueueBody, TaskBody};

/// Most characters of a message: more than anybody reads, little enough for a thousand tasks.
const MAX_CHARS: usize = 2_000;

/// At most 2,000 characters, without NUL, which `PostgreSQL` takes in no text.
pub fn tidy(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

pub fn tidied(mut text: String) -> String {
    tidy(&mut text);
    text
}

pub fn tidy_queue(queue: &mut QueueBody) {
    tidy(&mut queue.message);
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
    fn a_long_text_is_cut_between_characters_and_holds_no_nul() {
        assert_eq!(tidied("3 of 7\0checks\n".to_owned()), "3 of 7\u{fffd}checks\n");
        assert_eq!(tidied("ä".repeat(2_000)), "ä".repeat(2_000));
        assert_eq!(tidied("ä".repeat(2_001)), "ä".repeat(2_000) + "…");
    }
}
