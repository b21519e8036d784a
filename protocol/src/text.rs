//! What in other people's texts is for terminals and not for readers.
//! Both sides of each wire ask here, so that what one leaves out the other does not show.

/// Line and paragraph ends, and marks that turn the direction of reading, also of what stands beside the text.
pub const fn is_reading_mark(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
