//! What a request shows of who it is from: a token, a user name with a password, or a session cookie, in this order.
//! An `Authorization` header decides by itself; the cookie counts only without one.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum_extra::extract::CookieJar;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::api::SESSION_COOKIE;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Token(String),
    Basic {
        username: String,
        password: String,
    },
    Session(String),
    /// A Basic header that can't be read.
    Malformed,
    None,
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(AUTHORIZATION) {
            Some(value) => value.to_str().map_or(Self::Malformed, |text| Self::of_authorization(text, headers)),
            None => Self::of_cookie(headers),
        }
    }

    fn of_authorization(text: &str, headers: &HeaderMap) -> Self {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Self::Token(rest.trim().to_owned()),
            "basic" => read_basic(rest.trim()).unwrap_or(Self::Malformed),
            // A scheme that is a proxy's own business.
            _ => Self::of_cookie(headers),
        }
    }

    fn of_cookie(headers: &HeaderMap) -> Self {
        let jar = CookieJar::from_headers(headers);
        jar.get(SESSION_COOKIE).map_or(Self::None, |cookie| Self::Session(cookie.value().to_owned()))
    }
}

fn read_basic(encoded: &str) -> Option<Credentials> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(Credentials::Basic { username: username.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::COOKIE;

    fn of(authorization: Option<&str>, cookie: Option<&str>) -> Credentials {
        let mut headers = HeaderMap::new();
        headers.extend(authorization.map(|text| (AUTHORIZATION, text.parse().unwrap())));
        headers.extend(cookie.map(|text| (COOKIE, text.parse().unwrap())));
        Credentials::of(&headers)
    }

    #[test]
    fn the_authorization_header_goes_before_the_cookie() {
        let basic = Credentials::Basic { username: "ada".into(), password: "a:b".into() };
        let cookie = Some("x=1; testarena_session=abc");
        assert_eq!(of(Some("bearer ta_x"), cookie), Credentials::Token("ta_x".into()));
        assert_eq!(of(Some("Basic YWRhOmE6Yg=="), cookie), basic);
        assert_eq!(of(Some("Basic !"), cookie), Credentials::Malformed);
        assert_eq!(of(Some("Negotiate abc"), cookie), Credentials::Session("abc".into()));
        assert_eq!(of(None, cookie), Credentials::Session("abc".into()));
        assert_eq!(of(None, None), Credentials::None);
    }
}
