//! Extractors like axum's own that refuse in the shape of the API's errors.
//! What no database takes is refused here for all calls: the character U+0000 in a path or a query.

use super::ApiError;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use protocol::api::ErrorCode;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny};
use std::fmt::Display;
use std::str::FromStr;

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let body = read_body(request, state).await?;
        require_json(is_json, &body)?;
        parse_json(&body).map(Self)
    }
}

/// A JSON body that may be left out.
pub struct OptionalJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let body = read_body(request, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(is_json, &body)?;
        parse_json(&body).map(Self)
    }
}

/// For calls that need no body: one that says nothing may be there, but not one that asks for something.
pub struct NoBody;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let body = read_body(request, state).await?;
        require_json(is_json, &body)?;
        // Some clients write the body that they were not given as JSON, too.
        if !body.is_empty() && body.trim_ascii() != b"null" {
            parse_json::<Nothing>(&body)?;
        }
        Ok(Self)
    }
}

/// The fields of a plain HTML form.
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let form = axum::Form::from_request(request, state).await;
        form.map(|axum::Form(fields)| Self(fields)).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => ApiError::new(ErrorCode::InvalidInput, rejection.body_text()),
        })
    }
}

/// A path's parameters. One that is no number is an id that nothing has.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let raw = RawPathParams::from_request_parts(parts, state).await;
        let nowhere = || ApiError::not_found("there is nothing at this path");
        let raw = raw.map_err(|_| nowhere())?;
        if raw.iter().any(|(name, value)| value.contains('\0') || (name == "id" && !is_id(value))) {
            return Err(nowhere());
        }
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(parameters)| Self(parameters)).map_err(|_| nowhere())
    }
}

/// One way to write a number, so that a thing has one address: no sign, no leading zeros.
fn is_id(text: &str) -> bool {
    is_number(text) && (text.len() == 1 || !text.starts_with('0'))
}

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

/// For a number of a query that may be left out: one that is there has to be a number, and no empty text.
pub fn given<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(value: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(value)?;
    // Or else a sign would pass, which a reader takes for something else.
    if !is_number(&text) {
        return Err(D::Error::custom("digits only"));
    }
    text.parse().map(Some).map_err(D::Error::custom)
}

/// For an id in a query, which is written as in a path.
pub fn id<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(value: D) -> Result<T, D::Error> {
    let text = String::deserialize(value)?;
    if !is_id(&text) {
        return Err(D::Error::custom("digits only, without zeros in front"));
    }
    text.parse().map_err(D::Error::custom)
}

/// Digits, and nothing else that a number can be written with.
pub fn is_number(text: &str) -> bool {
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
        Some((field, why)) => ApiError::invalid(field, why),
        None => ApiError::invalid(quoted_field(cause).unwrap_or("query"), cause),
    }
}

/// Whether a body says that it is JSON, with or without parameters. One that says nothing is not taken for JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// A body that is not there has no type; what is missing in it is told elsewhere.
fn require_json(is_json: bool, body: &[u8]) -> Result<(), ApiError> {
    if is_json || body.is_empty() {
        return Ok(());
    }
    let told = "send the body as JSON, with the header Content-Type: application/json";
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, told))
}

async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => ApiError::new(ErrorCode::MalformedJson, "the body could not be read to its end"),
    })
}

pub fn too_large() -> ApiError {
    ApiError::new(ErrorCode::TooLarge, "a body may have at most 1 MiB")
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // First as any JSON: a typo in the JSON itself comes before what the JSON says.
    let malformed = |error: String| ApiError::new(ErrorCode::MalformedJson, format!("the body is no JSON: {error}"));
    if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
        return Err(malformed("it is UTF-16; send UTF-8".to_owned()));
    }
    let body = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    // What programs on Windows put before a text says nothing more about it.
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    serde_json::from_str::<IgnoredAny>(body).map_err(|error| malformed(error.to_string()))?;
    // Serde would take a list for the fields in their order.
    if !body.trim_start().starts_with('{') {
        return Err(ApiError::invalid("body", "must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_str(body);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, why) = (error.path().to_string(), without_value(&error.inner().to_string()));
        // Of a field that is missing or unknown the path may name what it is missing in.
        let is_whole = path == "." || path == "?";
        let field = if is_whole { quoted_field(&why).unwrap_or("body").to_owned() } else { path };
        ApiError::invalid(&field, why)
    })
}

/// Serde's "invalid type: integer `7`, expected a string" names what it has found, which may be a secret.
fn without_value(why: &str) -> String {
    let is_of_value = why.starts_with("invalid type: ") || why.starts_with("invalid value: ");
    match why.rsplit_once(", expected ").filter(|_| is_of_value) {
        Some((_, expected)) => format!("expected {expected}"),
        None => why.to_owned(),
    }
}

/// The name in serde's "missing field `x`".
fn quoted_field(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(" field `")?;
    rest.split_once('`').map(|(field, _)| field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api::SubmitJobRequest;

    fn refused(body: &str) -> (ErrorCode, Vec<String>) {
        let Err(error) = parse_json::<SubmitJobRequest>(body.as_bytes()) else { panic!("accepted: {body}") };
        (error.code, error.fields.unwrap_or_default().into_keys().collect())
    }

    #[test]
    fn what_is_no_json_differs_from_what_is_wrong_json() {
        for body in ["", "{", "x", "{} {}", "{\"a\":1,}", "\u{feff}", "\u{feff}\u{feff}{}", "{}\u{feff}"] {
            assert_eq!(refused(body).0, ErrorCode::MalformedJson, "{body}");
        }
        let Err(error) = parse_json::<SubmitJobRequest>(b"{\"branch_name\":\"\xff\",\"scenarios\":[]}") else {
            panic!("accepted what is not UTF-8")
        };
        assert_eq!(error.code, ErrorCode::MalformedJson);
        for body in ["[]", "null", "7", "\u{feff}{}", " [null,\"main\",[\"a\"],null]"] {
            assert_eq!(refused(body).0, ErrorCode::InvalidInput, "{body}");
        }
    }

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

    #[test]
    fn the_wrong_field_is_named() {
        let fields = |body: &str| refused(body).1;
        assert_eq!(fields(r#"{"scenarios":[]}"#), ["branch_name"]);
        assert_eq!(fields(r#"{"branch_name":7,"scenarios":[]}"#), ["branch_name"]);
        assert_eq!(fields(r#"{"branch_name":"a","scenarios":["a",7]}"#), ["scenarios[1]"]);
        assert_eq!(fields(r#"{"branch_name":"a","scenarios":[],"branch":"a"}"#), ["branch"]);
        assert_eq!(fields(r#"{"branch_name":"a","scenarios":[],"timeout_s":-1}"#), ["timeout_s"]);
    }
}
