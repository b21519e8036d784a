//! Queries, each parameter by the same rules: a number or a yes is written as such where it is there at all, a text that is
//! empty was left out, and what no database takes (the character U+0000) is refused for all calls.

use super::ApiError;
use super::words::{in_our_words, quoted_field};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use std::borrow::Cow;
use std::str::FromStr;

/// The query; a key may be repeated where the type is a list.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(field) = field_with_nul(parts.uri.query().unwrap_or_default()) {
            return Err(ApiError::invalid(&field, "must not contain the character U+0000"));
        }
        let query = axum_extra::extract::Query::from_request_parts(parts, state).await;
        query.map(|axum_extra::extract::Query(values)| Self(values)).map_err(|rejection| {
            let text = rejection.to_string();
            refuse_query(text.strip_prefix(QUERY_REJECTION).unwrap_or(&text))
        })
    }
}

/// A text that may be left out; an empty one is, as a form with untouched fields sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "String")]
pub struct Filter(pub Option<String>);

impl From<String> for Filter {
    fn from(text: String) -> Self {
        Self(Some(text).filter(|text| !text.is_empty()))
    }
}

impl Filter {
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl JsonSchema for Filter {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// For a number that may be left out: one that is there has to be a number, and no empty text.
pub fn given<'de, D: Deserializer<'de>, T: FromStr>(value: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(value)?;
    // Or else a sign would pass, which a reader takes for something else.
    if !is_number(&text) {
        return Err(D::Error::custom("must be a whole number, written in digits alone"));
    }
    text.parse().map(Some).map_err(|_| D::Error::custom("is too large a number"))
}

/// For an id, which is written as in a path.
pub fn id<'de, D: Deserializer<'de>, T: FromStr>(value: D) -> Result<T, D::Error> {
    let text = String::deserialize(value)?;
    if !is_id(&text) {
        return Err(D::Error::custom("must be a number in digits alone, without zeros in front"));
    }
    text.parse().map_err(|_| D::Error::custom("is too large a number"))
}

/// One way to write a number, so that a thing has one address: no sign, no leading zeros.
pub(super) fn is_id(text: &str) -> bool {
    is_number(text) && (text.len() == 1 || !text.starts_with('0'))
}

/// Digits, and nothing else that a number can be written with.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parameter that holds a NUL, in its name or its value.
fn field_with_nul(query: &str) -> Option<String> {
    let pair = query.split('&').find(|pair| pair.contains("%00"))?;
    let name = percent_decode_str(pair.split('=').next()?).decode_utf8_lossy().replace('\0', "");
    Some(name)
}

/// What axum puts before the cause.
const QUERY_REJECTION: &str = "Failed to deserialize query string: ";

/// The cause is "name: why", or names the field in the middle.
fn refuse_query(cause: &str) -> ApiError {
    let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match cause.split_once(": ").filter(|(field, _)| is_name(field)) {
        Some((field, why)) => ApiError::invalid(field, in_our_words(why)),
        None => ApiError::invalid(quoted_field(cause).unwrap_or("query"), in_our_words(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_way_to_be_written() {
        for (text, is) in [("42", true), ("0", true), ("+42", false), ("042", false), ("-1", false), ("4.2", false)] {
            assert_eq!(is_id(text), is, "{text}");
        }
    }

    #[test]
    fn the_wrong_part_of_a_query_is_named() {
        for (cause, field) in [
            ("wait: invalid digit found in string", "wait"),
            ("missing field `branch`", "branch"),
            ("no idea: at all", "query"),
        ] {
            assert!(refuse_query(cause).fields.unwrap().contains_key(field), "{cause}");
        }
    }
}
