//! Sizes as people write and read them in a configuration, in units of 1024.

/// `256MiB`, `1GiB`, `64KiB`, or bytes as a plain number; never zero.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("\"{text}\" is no size such as \"256MiB\" or \"1GiB\"");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)?;
    // What is stored of a size is a signed number.
    if bytes == 0 || i64::try_from(bytes).is_err() {
        return Err(format!("\"{text}\" must be at least 1 byte, and less than 8 EiB"));
    }
    Ok(bytes)
}

/// Bytes as they stand in a configuration.
pub fn in_units(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_units_of_1024() {
        assert_eq!(parse("256MiB"), Ok(256 << 20));
        assert_eq!(parse("1 GiB"), Ok(1 << 30));
        assert_eq!(parse("4096"), Ok(4096));
        for bad in ["", "MiB", "1MB", "1.5GiB", "0", "-1", "1gib", "99999999TiB", "+1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_named_as_they_are_configured() {
        assert_eq!(in_units(256 << 20), "256 MiB");
        assert_eq!(in_units(1 << 30), "1 GiB");
        assert_eq!(in_units(1_000), "1000 bytes");
    }
}
