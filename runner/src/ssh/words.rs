//! Splits a command line into words as a POSIX shell would, and knows nothing else of a shell.
//! Whatever would make a shell do more than that (expand, redirect, chain) is refused.

/// The line is more than plain and quoted words.
#[derive(Debug, PartialEq, Eq)]
pub struct NotPlain;

/// The words of a line. A word is any sequence of plain characters, `'…'`, `"…"` and `\c`.
pub fn split(line: &str) -> Result<Vec<String>, NotPlain> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if matches!(character, ' ' | '\t') {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match character {
            '\'' => quoted(&mut characters, word)?,
            '"' => double_quoted(&mut characters, word)?,
            '\\' => word.push(characters.next().filter(|escaped| *escaped != '\n').ok_or(NotPlain)?),
            plain if is_plain(plain) => word.push(plain),
            _ => return Err(NotPlain),
        }
    }
    words.extend(word);
    Ok(words)
}

fn is_plain(character: char) -> bool {
    !character.is_control() && !"|&;<>()$`*?[]#~!".contains(character)
}

fn quoted(characters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), NotPlain> {
    loop {
        match characters.next().ok_or(NotPlain)? {
            '\'' => return Ok(()),
            any => word.push(any),
        }
    }
}

fn double_quoted(characters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), NotPlain> {
    loop {
        match characters.next().ok_or(NotPlain)? {
            '"' => return Ok(()),
            '$' | '`' => return Err(NotPlain),
            '\\' => match characters.next().ok_or(NotPlain)? {
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                '\n' => return Err(NotPlain),
                other => word.extend(['\\', other]),
            },
            any => word.push(any),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_a_shell_does() {
        for (line, words) in [
            ("", vec![]),
            ("  git   -C\t/srv/repo ", vec!["git", "-C", "/srv/repo"]),
            ("a 'b c' d", vec!["a", "b c", "d"]),
            ("refs/heads/'it'\\''s'", vec!["refs/heads/it's"]),
            ("'it'\"'\"'s'", vec!["it's"]),
            ("'$(reboot)' '`x`' ';'", vec!["$(reboot)", "`x`", ";"]),
            ("\"a \\\"b\\\" \\c\" ''", vec!["a \"b\" \\c", ""]),
            ("4f1c^{commit} ä", vec!["4f1c^{commit}", "ä"]),
        ] {
            assert_eq!(split(line), Ok(words.into_iter().map(str::to_owned).collect()), "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_act_on_is_refused() {
        for line in [
            "a; b", "a | b", "a & b", "a && b", "a > b", "$HOME", "`a`", "$(a)", "\"$a\"", "\"`a`\"", "a*", "?", "[a]",
            "~", "a\nb", "'a", "\"a", "a\\", "#a", "!a", "(a)", "a\0",
        ] {
            assert_eq!(split(line), Err(NotPlain), "{line:?}");
        }
    }
}
