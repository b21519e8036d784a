//! Extractors like axum's own that refuse in the shape of the API's errors.
//! What no database takes is refused here for all calls: the character U+0000 in a path or a query.

use super::ApiError;
use super::query::is_id;
use super::words::{in_our_words, quoted_field};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use protocol::api::ErrorCode;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse_json(&read_json(request, state).await?).map(Self)
    }
}

/// A JSON body that may be left out.
pub struct OptionalJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = read_json(request, state).await?;
        if is_left_out(&body) { Ok(Self(T::default())) } else { parse_json(&body).map(Self) }
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
        let body = read_json(request, state).await?;
        if !is_left_out(&body) {
            parse_json::<Nothing>(&body)?;
        }
        Ok(Self)
    }
}

/// Some clients write the body that they were not given as JSON, too.
fn is_left_out(body: &[u8]) -> bool {
    body.is_empty() || body.trim_ascii() == b"null"
}

/// The fields of a plain HTML form.
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        refuse_encoded(request.headers())?;
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

/// The body of a call that takes JSON. One that is not there has no type; what is missing in it is told elsewhere.
async fn read_json<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let is_readable = refuse_encoded(request.headers()).and_then(|()| require_json(request.headers()));
    let body = Bytes::from_request(request, state).await;
    let body = body.map_err(|rejection: BytesRejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => ApiError::new(ErrorCode::MalformedJson, "the body could not be read to its end"),
    })?;
    if !body.is_empty() {
        is_readable?;
    }
    Ok(body)
}

/// With or without parameters. A body that says nothing is not taken for JSON.
fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let told = "send the body as JSON, with the header Content-Type: application/json";
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, told))
}

/// A few bytes could unpack to any number of them; what is worth sending here is small as it is.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let told = "send the body as it is, not compressed: no Content-Encoding is read";
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, told))
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
        let (path, why) = (error.path().to_string(), error.inner().to_string());
        // Of a field that is missing or unknown the path may name what it is missing in.
        let is_whole = path == "." || path == "?";
        let field = if is_whole { quoted_field(&why).unwrap_or("body").to_owned() } else { path };
        ApiError::invalid(&field, in_our_words(&why))
    })
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
    fn the_wrong_field_is_named() {
        let fields = |body: &str| refused(body).1;
        assert_eq!(fields(r#"{"scenarios":[]}"#), ["branch_name"]);
        assert_eq!(fields(r#"{"branch_name":7,"scenarios":[]}"#), ["branch_name"]);
        assert_eq!(fields(r#"{"branch_name":"a","scenarios":["a",7]}"#), ["scenarios[1]"]);
        assert_eq!(fields(r#"{"branch_name":"a","scenarios":[],"branch":"a"}"#), ["branch"]);
        assert_eq!(fields(r#"{"branch_name":"a","scenarios":[],"timeout_s":-1}"#), ["timeout_s"]);
    }
}
