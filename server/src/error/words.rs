//! What is wrong with an input, in sentences for those who sent it. The libraries that read it speak of Rust's types, and
//! repeat the value that they found, which may be a secret.

/// Of a field: what it has to be, and what kind of thing it is instead.
pub(super) fn in_our_words(why: &str) -> String {
    let why = without_place(why);
    if let Some((given, expected)) = split_expected(why, "invalid type: ") {
        return format!("must be {}, and is {}", kind_wanted(expected), kind_given(given));
    }
    if let Some((_, expected)) = split_expected(why, "invalid value: ") {
        return format!("must be {}", kind_wanted(expected));
    }
    if why.starts_with("unknown variant ")
        && let Some((_, words)) = why.rsplit_once("`, expected ")
    {
        return format!("must be {words}");
    }
    if why.starts_with("unknown field ") {
        return match why.split_once("`, expected ") {
            Some((_, names)) => format!("unknown field; there is {names}"),
            None => "unknown field; there is none".to_owned(),
        };
    }
    match why {
        _ if why.starts_with("missing field ") => "is missing".to_owned(),
        _ if why.starts_with("duplicate field ") || why == "unsupported value" => "must be there once".to_owned(),
        "provided string was not `true` or `false`" => "must be true or false".to_owned(),
        other => other.to_owned(),
    }
}

/// Where in a body it stands: the field says that, too.
fn without_place(why: &str) -> &str {
    why.rsplit_once(" at line ").map_or(why, |(why, _)| why)
}

/// What was found may hold the same words.
fn split_expected<'a>(why: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    why.strip_prefix(mark)?.rsplit_once(", expected ")
}

fn kind_wanted(expected: &str) -> String {
    let told = match expected {
        "u8" | "u16" | "usize" | "u64" => "a whole number that is not negative",
        "u32" => return format!("a whole number from 0 to {}", u32::MAX),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        _ if expected.starts_with("struct ") => "an object",
        other => other,
    };
    told.to_owned()
}

/// Of "integer `7`" and the like the kind alone.
fn kind_given(given: &str) -> &'static str {
    let kinds = [
        ("null", "null"),
        ("boolean", "a boolean"),
        ("integer", "a number"),
        ("floating point", "a number with a fraction or an exponent"),
        ("string", "a string"),
        ("sequence", "a list"),
        ("map", "an object"),
    ];
    let found = kinds.iter().find(|(word, _)| given.starts_with(word));
    found.map_or("something else", |(_, told)| told)
}

/// The name in serde's "missing field `x`".
pub(super) fn quoted_field(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(" field `")?;
    rest.split_once('`').map(|(field, _)| field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api::{CreateTokenRequest, SubmitJobRequest};
    use serde::de::DeserializeOwned;

    fn refused<T: DeserializeOwned>(body: &str) -> String {
        let Err(error) = serde_json::from_str::<T>(body) else { panic!("accepted: {body}") };
        in_our_words(&error.to_string())
    }

    #[test]
    fn a_field_says_what_it_has_to_be_and_what_it_is() {
        let job =
            |more: &str| refused::<SubmitJobRequest>(&format!("{{\"branch_name\":\"a\",\"scenarios\":[]{more}}}"));
        let (number, other) = ("must be a whole number that is not negative", ", and is a string");
        assert_eq!(job(r#","timeout_s":"60, expected u64 at line 1""#), format!("{number}{other}"));
        assert_eq!(job(r#","timeout_s":60.0"#), format!("{number}, and is a number with a fraction or an exponent"));
        assert_eq!(job(r#","timeout_s":true"#), format!("{number}, and is a boolean"));
        assert_eq!(job(r#","timeout_s":-60"#), number);
        assert_eq!(job(r#","environment":7"#), "must be a string, and is a number");
        assert_eq!(
            job(r#","enviroment":"a""#),
            "unknown field; there is one of `environment`, `branch_name`, `scenarios`, `timeout_s`"
        );
        assert_eq!(job(r#","branch_name":"a""#), "must be there once");
        assert_eq!(refused::<SubmitJobRequest>(r#"{"scenarios":[]}"#), "is missing");
        assert_eq!(refused::<SubmitJobRequest>(r#"{"branch_name":null}"#), "must be a string, and is null");
        assert_eq!(refused::<SubmitJobRequest>(r#"{"scenarios":{}}"#), "must be a list, and is an object");
        let token = |more: &str| refused::<CreateTokenRequest>(&format!("{{\"name\":\"a\"{more}}}"));
        assert_eq!(token(r#","expires_in_days":5000000000"#), "must be a whole number from 0 to 4294967295");
        assert_eq!(token(r#","scope":"hunter2`, expected `x`""#), "must be one of `read`, `submit`, `admin`");
    }
}
