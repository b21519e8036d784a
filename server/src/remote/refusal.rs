//! What an HTTP answer that is no success means: the server's final word, or a reason to try again.
//! Pure, by the contract's table; only words that the contract names are ever taken as final, and only those of the
//! contract's form are ever shown.

use super::{Failure, Reach, Refusal, RemoteError, odd_json, words};
use crate::answer_words;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use protocol::remote::{ErrorBody, code};
use std::time::{Duration, SystemTime};

/// Longest message of the server's that is passed on, in bytes.
const MAX_MESSAGE_BYTES: usize = 500;

/// What a call was about, since the same status does not mean the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Submission,
    /// A queue or task that was accepted before. Some old servers say "unknown" with a plain 404.
    Id {
        plain_404_means_unknown: bool,
    },
    /// The server as a whole.
    Server,
}

/// A call, and whose it was.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub environment: &'a str,
    pub call: &'a str,
}

/// `now` is what `Retry-After` dates are measured from: the server's own clock where it is known.
pub fn read(
    Named { environment, call }: Named<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
    about: About,
) -> RemoteError {
    let error = odd_json::read::<ErrorBody>(body).ok();
    let code = error.as_ref().map_or("", |error| error.code.as_str());
    let said_by_server = error.as_ref().map_or_else(String::new, |error| shorten(&error.message));
    match (status, code) {
        // Of an id that is only now being submitted nobody can say so: that is some other address answering.
        (StatusCode::NOT_FOUND, code::UNKNOWN_ID) if about != About::Submission => {
            RemoteError::Permanent(Refusal::UnknownId)
        }
        (StatusCode::NOT_FOUND, _) if about == (About::Id { plain_404_means_unknown: true }) => {
            RemoteError::Permanent(Refusal::UnknownId)
        }
        (StatusCode::CONFLICT, code::OTHER_INSTANCE) => RemoteError::Permanent(Refusal::OtherInstance),
        (StatusCode::CONFLICT, code::ID_TAKEN) => RemoteError::Permanent(Refusal::IdTaken(said_by_server)),
        (StatusCode::GONE, code::GONE) => RemoteError::Permanent(Refusal::Gone),
        (StatusCode::UNPROCESSABLE_ENTITY, _) if about == About::Submission => {
            RemoteError::Permanent(Refusal::Rejected(said_by_server))
        }
        _ => RemoteError::Transient {
            message: Failure::new(
                format!("{environment} answered {status}{}", said(&said_by_server)),
                format!("{call} was answered {status}{}", advice(status, headers, &all_words(body))),
            )
            .reaching(reach_of(status)),
            retry_after: retry_after(headers, now),
        },
    }
}

/// What an answer says, whoever wrote it: for admins and the log.
pub fn all_words(body: &[u8]) -> String {
    let error = odd_json::read::<ErrorBody>(body).ok();
    shorten(&error.map_or_else(|| String::from_utf8_lossy(body).into_owned(), |error| error.message))
}

/// A gateway's own words for a server behind it that is away.
fn reach_of(status: StatusCode) -> Reach {
    let is_gateways = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
    if is_gateways { Reach::Unanswered } else { Reach::Answered }
}

fn advice(status: StatusCode, headers: &HeaderMap, message: &str) -> String {
    let what = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "check the token (token_env) and its rights".to_owned(),
        StatusCode::NOT_FOUND => {
            "the server does not know the address: check url and paths, or set plain_404_means_unknown for an older server"
                .to_owned()
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "it is tried again".to_owned(),
        status if status.is_redirection() => {
            let target = headers.get(LOCATION).and_then(|target| target.to_str().ok()).unwrap_or("elsewhere");
            format!("redirects ({}) are not followed: set url to the final address", shorten(target))
        }
        status if status.is_server_error() => "see the remote server's log".to_owned(),
        _ => "check url, paths and the server's version".to_owned(),
    };
    format!("{}; {what}", said(message))
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    answer_words::retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

fn shorten(text: &str) -> String {
    let text = &words::tidied(text.trim().to_owned());
    if text.len() <= MAX_MESSAGE_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_MESSAGE_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use std::time::UNIX_EPOCH;

    const CALL: Named<'_> = Named { environment: "bench-a", call: "GET /x" };
    const ID: About = About::Id { plain_404_means_unknown: false };

    fn read_plain(status: u16, body: &str, about: About) -> RemoteError {
        let status = StatusCode::from_u16(status).unwrap();
        read(CALL, status, &HeaderMap::new(), body.as_bytes(), UNIX_EPOCH, about)
    }

    #[test]
    fn only_the_words_of_the_contract_are_final() {
        let permanent = |refusal| RemoteError::Permanent(refusal);
        for (status, body, expected) in [
            (409, r#"{"code":"other_instance"}"#, permanent(Refusal::OtherInstance)),
            (409, r#"{"code":"id_taken","message":"m"}"#, permanent(Refusal::IdTaken("m".into()))),
            (410, r#"{"code":"gone","message":"m"}"#, permanent(Refusal::Gone)),
            (422, r#"{"code":"bad_branch","message":"m"}"#, permanent(Refusal::Rejected("m".into()))),
            (409, r#"{"code":"id_taken","message":"m\udcff"}"#, permanent(Refusal::IdTaken("m\u{fffd}".into()))),
            (409, r#"{"code":"id_taken","message":7}"#, permanent(Refusal::IdTaken(String::new()))),
            // Of an answer that has not the contract's form nobody knows whose words they are.
            (422, "<html>proxy at 192.0.2.1</html>", permanent(Refusal::Rejected(String::new()))),
            (422, r#"{"message":"proxy at 192.0.2.1"}"#, permanent(Refusal::Rejected(String::new()))),
        ] {
            assert_eq!(read_plain(status, body, About::Submission), expected, "{status} {body}");
        }
        let unknown = r#"{"code":"unknown_id","message":"m"}"#;
        assert_eq!(read_plain(404, unknown, ID), permanent(Refusal::UnknownId));
        assert!(matches!(read_plain(404, unknown, About::Submission), RemoteError::Transient { .. }));
        for (status, body) in [
            (404, ""),
            (404, r#"{"code":"not_found"}"#),
            (404, "unknown_id"),
            (409, "{}"),
            (410, "gone"),
            (422, r#"{"code":"unknown_id"}"#),
            (400, r#"{"code":"unknown_id"}"#),
            (500, r#"{"code":"gone"}"#),
        ] {
            assert!(matches!(read_plain(status, body, ID), RemoteError::Transient { .. }), "{status} {body}");
        }
        let old_server = About::Id { plain_404_means_unknown: true };
        assert_eq!(read_plain(404, "<html>", old_server), permanent(Refusal::UnknownId));
    }

    #[test]
    fn a_transient_failure_says_what_to_do() {
        for (status, words) in [
            (401, "token_env"),
            (403, "token_env"),
            (404, "check url and paths"),
            (302, "redirects (elsewhere) are not followed"),
            (502, "remote server's log"),
        ] {
            let message = read_plain(status, "", ID).private();
            assert!(message.starts_with("GET /x was answered ") && message.contains(words), "{message}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, expected) in [
            ("90", Some(Duration::from_secs(90))),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(Duration::from_secs(30))),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            let error = read(CALL, StatusCode::SERVICE_UNAVAILABLE, &headers, b"", now, ID);
            assert!(matches!(error, RemoteError::Transient { retry_after, .. } if retry_after == expected), "{value}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let body = format!(r#"{{"code":"bad_branch","message":"{}"}}"#, "ä".repeat(400));
        let RemoteError::Permanent(Refusal::Rejected(message)) = read_plain(422, &body, About::Submission) else {
            panic!("a 422 is final");
        };
        assert_eq!(message, format!("{}…", "ä".repeat(250)));
    }
}
