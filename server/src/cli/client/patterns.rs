//! Which scenarios are meant: patterns as of a shell, whose `*` also crosses `/`.

use super::failure::Failure;
use std::collections::HashSet;

/// Whether a pattern is more than a name.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// What each pattern matches, in the patterns' order, nothing twice; each must match something.
pub(super) fn choose(patterns: &[String], branch: &str, scenarios: &[String]) -> Result<Vec<String>, Failure> {
    let mut seen = HashSet::new();
    let (mut chosen, mut without) = (Vec::new(), Vec::new());
    for pattern in patterns {
        // A name is meant as it stands, whatever characters it has.
        let is_meant = |name: &&String| *name == pattern || matches(pattern, name);
        let mut found = scenarios.iter().filter(is_meant).peekable();
        if found.peek().is_none() {
            without.push(format!("\"{pattern}\""));
        }
        chosen.extend(found.filter(|name| seen.insert(*name)).cloned());
    }
    if without.is_empty() {
        return Ok(chosen);
    }
    Err(Failure::Usage(format!(
        "no scenario of branch \"{branch}\" matches {}\n  `testarena scenarios --branch {branch}` shows what there is.",
        without.join(", ")
    )))
}

/// Whether the whole name fits the pattern. Goes back to the last `*` alone, so that no pattern takes long.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = pattern.get(p).and_then(|_| fits_one(&pattern[p..], name[n]));
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(length) = step {
            p += length;
            n += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            n = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// How many characters of the pattern stand for this one character; `None`: it does not fit.
fn fits_one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == c).then_some(2),
        ['[', class @ ..] => match end_of_class(class) {
            Some(end) => is_in_class(&class[..end], c).then_some(end + 2),
            // Never closed, so it is a bracket.
            None => (c == '[').then_some(1),
        },
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

/// A `]` right at the beginning is one of the characters.
fn end_of_class(class: &[char]) -> Option<usize> {
    let first = usize::from(matches!(class.first(), Some('!' | '^')));
    let end = class.iter().skip(first + 1).position(|&c| c == ']')?;
    Some(first + 1 + end)
}

fn is_in_class(class: &[char], c: char) -> bool {
    let (is_negated, mut rest) = match class {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut is_in = false;
    while let [first, others @ ..] = rest {
        (is_in, rest) = match others {
            ['-', last, others @ ..] => (is_in || (*first..=*last).contains(&c), others),
            others => (is_in || *first == c, others),
        };
    }
    is_in != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_as_of_a_shell_and_cross_slashes() {
        for (pattern, name, fits) in [
            ("smoke/*", "smoke/boot", true),
            ("smoke/*", "smoke/net/wifi", true),
            ("smoke/*", "smoke", false),
            ("*", "smoke/boot", true),
            ("**/boot", "smoke/boot", true),
            ("*boot*", "smoke/boot", true),
            ("*/b??t", "smoke/boot", true),
            ("smoke/b?", "smoke/boot", false),
            ("smoke?boot", "smoke/boot", true),
            ("smoke/[bn]oot", "smoke/boot", true),
            ("smoke/[!bn]oot", "smoke/boot", false),
            ("smoke/[^a-c]oot", "smoke/zoot", true),
            ("v[0-9].[0-9]", "v1.2", true),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("a[", "a[", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\", "a\\", true),
            ("Smoke/*", "smoke/boot", false),
            ("größe/*", "größe/ö", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} and {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_time() {
        assert!(!matches(&"a*".repeat(40), &"a".repeat(4_000).replace("aaaa", "aaab").replace('a', "b")));
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &"a".repeat(10_000)));
    }

    #[test]
    fn each_pattern_must_match_and_nothing_is_chosen_twice() {
        let scenarios = ["load/soak", "odd[1]", "smoke/boot", "smoke/net"].map(str::to_owned);
        let choose = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            choose(&patterns, "main", &scenarios)
        };
        assert_eq!(choose(&["smoke/net", "smoke/*"]).unwrap(), ["smoke/net", "smoke/boot"]);
        assert_eq!(choose(&["odd[1]"]).unwrap(), ["odd[1]"]);
        let told = choose(&["smoke/*", "wifi/*", "[x]*"]).unwrap_err().to_string();
        assert!(told.starts_with("no scenario of branch \"main\" matches \"wifi/*\", \"[x]*\"\n"), "{told}");
    }
}
