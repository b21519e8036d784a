//! Words of a shell's: in the commands that go to a remote test server, and in those that a person is advised to run.

/// The text as one word of a POSIX shell, and of csh, which takes `!` for a command of its own even within quotes. Plain
/// words stay as they are, for the reader of a log.
pub fn quote(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_./:@+-".contains(&b);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''").replace('!', r"'\!'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn shell_reads(word: &str) -> String {
        let output = Command::new("sh").arg("-c").arg(format!("printf %s {word}")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_shell_reads_back_exactly_what_was_quoted() {
        let nasty = [
            "",
            "main",
            "it's",
            "''",
            "$(touch x)",
            "`id`",
            "a;b",
            "a&b",
            "a|b",
            "a b",
            "\\",
            "\"",
            "a\\'b",
            "~root",
            "*",
            "{a,b}",
            "!x",
            "#x",
            "ä/ö",
            "a>b",
            "$HOME",
            "a'$(x)'b",
            "\t",
        ];
        for text in nasty {
            assert_eq!(shell_reads(&quote(text)), text);
        }
    }

    #[test]
    fn every_short_mix_of_special_characters_survives_the_shell() {
        let alphabet = ['\'', '"', '\\', '$', '`', '!', ' ', 'a'];
        let words = (0..512usize).map(|n| [n / 64, n / 8 % 8, n % 8].map(|i| alphabet[i]).iter().collect::<String>());
        let words: Vec<String> = words.collect();
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let output = Command::new("sh").arg("-c").arg(format!(r"printf '%s\n' {}", quoted.join(" "))).output().unwrap();
        let lines: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
        assert_eq!(lines, words);
    }
}
