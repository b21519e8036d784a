//! In which order names are listed: as a person counts, `test2` before `test10`.

use std::cmp::Ordering;

/// In the order of `natural`.
pub fn sort(names: &mut [String]) {
    names.sort_unstable_by(|a, b| natural(a, b));
}

/// Folder by folder, so that what is in one stays together; within a name, runs of digits by their number.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => {}
            // Of two that differ in nothing but zeros before a number, each still has its place.
            (Some(a), Some(b)) => return by_number(a.as_bytes(), b.as_bytes()).then_with(|| a.cmp(b)),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        }
    }
}

fn by_number(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        let order = if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (number_a, number_b) = (take_number(&mut a), take_number(&mut b));
            // Of any length: the longer one is the greater.
            number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b))
        } else {
            (a, b) = (rest_a, rest_b);
            first_a.cmp(first_b)
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// The digits that the text begins with, without zeros before them; the rest stays.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    &digits[digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
        let mut names = names.to_vec();
        names.sort_unstable_by(|a, b| natural(a, b));
        names
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        for order in [
            &["test2", "test10"][..],
            &["boot", "boot2", "boot2.a", "boot10", "boot10-slow", "net"],
            &["v1.2", "v1.10", "v2"],
            &["1", "02", "2", "10", "a"],
            &["n99999999999999999998", "n99999999999999999999", "n100000000000000000000"],
            &["", "0", "a"],
        ] {
            let backwards: Vec<&str> = order.iter().rev().copied().collect();
            assert_eq!(sorted(&backwards), order);
        }
    }

    #[test]
    fn what_is_in_one_folder_stays_together() {
        assert_eq!(
            sorted(&["net-2/a", "net/b10", "net/b2", "net", "a1/z", "a01/y", "a1/x", "net/b/c"]),
            ["a01/y", "a1/x", "a1/z", "net", "net/b/c", "net/b2", "net/b10", "net-2/a"]
        );
    }

    #[test]
    fn only_the_same_is_equal() {
        for (a, b) in [("a1", "a01"), ("a/1", "a/001"), ("a", "a/"), ("0", "00")] {
            assert_eq!(natural(a, b), natural(b, a).reverse());
            assert_ne!(natural(a, b), Ordering::Equal, "{a} {b}");
        }
        assert_eq!(natural("a/1", "a/1"), Ordering::Equal);
    }
}
