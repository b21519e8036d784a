//! What a request shows of who it is from: a token, a user name with a password, or a session cookie, in this order.
//! An `Authorization` header decides by itself; the cookie counts only without one.

use super::secret::SecretHash;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::api::SESSION_COOKIE;

/// So many cookies of the session's name are looked at: our own and those that pages of neighbouring hosts may have set.
const MAX_SESSIONS: usize = 4;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// `None`: what was sent is no token of ours.
    Token(Option<SecretHash>),
    Basic {
        username: String,
        password: String,
    },
    /// One as a rule; none if no session of ours can have what the cookie holds.
    Sessions(Vec<SecretHash>),
    /// A header that can't be read, or two of them.
    Malformed,
    None,
}

impl Credentials {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().map_or(Self::Malformed, |text| Self::of_authorization(text, headers)),
            // Whose of two the request is must not be guessed.
            (Some(_), Some(_)) => Self::Malformed,
            (None, _) => Self::of_cookie(headers),
        }
    }

    /// Whether a token is shown, without a look at which.
    pub(super) fn is_token(headers: &HeaderMap) -> bool {
        let scheme = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().get(..7));
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    }

    fn of_authorization(text: &str, headers: &HeaderMap) -> Self {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Self::Token(SecretHash::of_token(rest.trim())),
            "basic" => read_basic(rest.trim()).unwrap_or(Self::Malformed),
            // A scheme that is a proxy's own business.
            _ => Self::of_cookie(headers),
        }
    }

    fn of_cookie(headers: &HeaderMap) -> Self {
        let mut values = session_cookies(headers).peekable();
        if values.peek().is_none() {
            return Self::None;
        }
        Self::Sessions(sessions(values))
    }
}

/// The sessions that a request's cookies name, whatever else it shows.
pub fn sessions_of(headers: &HeaderMap) -> Vec<SecretHash> {
    sessions(session_cookies(headers))
}

fn sessions<'a>(values: impl Iterator<Item = &'a str>) -> Vec<SecretHash> {
    let mut found = Vec::new();
    for hash in values.filter_map(SecretHash::of_session) {
        if found.len() < MAX_SESSIONS && !found.contains(&hash) {
            found.push(hash);
        }
    }
    found
}

fn session_cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    cookies(headers, SESSION_COOKIE)
}

/// All cookies of a name: a page of a neighbouring host may have set another one.
pub(super) fn cookies<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    // A browser sends those of every program at this host in one line, in whatever letters they are.
    let lines = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let pairs = lines.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='));
    pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

fn read_basic(encoded: &str) -> Option<Credentials> {
    let decoded = STANDARD.decode(encoded).ok()?;
    // The challenge asks for neither encoding, and clients write both; in Latin-1 each byte is the character of its number.
    let decoded = String::from_utf8(decoded)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
    let (username, password) = decoded.split_once(':')?;
    Some(Credentials::Basic { username: username.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::secret::{new_api_token, new_session_secret};
    use super::*;

    fn of(authorization: Option<&str>, cookie: Option<&str>) -> Credentials {
        let mut headers = HeaderMap::new();
        headers.extend(authorization.map(|text| (AUTHORIZATION, text.parse().unwrap())));
        headers.extend(cookie.map(|text| (COOKIE, text.parse().unwrap())));
        Credentials::of(&headers)
    }

    #[test]
    fn the_authorization_header_goes_before_the_cookie() {
        let basic = Credentials::Basic { username: "ada".into(), password: "a:b".into() };
        let ((secret, session), (token, token_hash)) = (new_session_secret(), new_api_token());
        let cookie = format!("x=1; testarena_session={secret}");
        let cookie = Some(cookie.as_str());
        assert_eq!(of(Some(&format!("bearer {token}")), cookie), Credentials::Token(Some(token_hash)));
        assert_eq!(of(Some("Bearer ta_x"), cookie), Credentials::Token(None));
        assert_eq!(of(Some("Basic YWRhOmE6Yg=="), cookie), basic);
        assert_eq!(of(Some("Basic !"), cookie), Credentials::Malformed);
        let with_umlaut = Credentials::Basic { username: "ada".into(), password: "ü".into() };
        for (written, as_it_comes) in [("YWRhOsO8", "UTF-8"), ("YWRhOvw=", "Latin-1")] {
            assert_eq!(of(Some(&format!("Basic {written}")), None), with_umlaut, "{as_it_comes}");
        }
        assert_eq!(of(Some("Negotiate abc"), cookie), Credentials::Sessions(vec![session]));
        assert_eq!(of(None, cookie), Credentials::Sessions(vec![session]));
        let mut beside = HeaderMap::new();
        let of_another = [b"name=J\xf6rg; other=\xc3\xb6; testarena_session=".as_slice(), secret.as_bytes()].concat();
        beside.insert(COOKIE, axum::http::HeaderValue::from_bytes(&of_another).unwrap());
        assert_eq!(Credentials::of(&beside), Credentials::Sessions(vec![session]));
        assert_eq!(of(None, Some("testarena_session=; testarena_sessions=a")), Credentials::Sessions(vec![]));
        assert_eq!(of(None, Some("other=1")), Credentials::None);
        assert_eq!(of(None, None), Credentials::None);
    }

    #[test]
    fn of_two_headers_none_is_believed() {
        let mut headers = HeaderMap::new();
        for text in ["Basic YWRhOmE6Yg==", "Basic YWRhOmE6Yw=="] {
            headers.append(AUTHORIZATION, text.parse().unwrap());
        }
        assert_eq!(Credentials::of(&headers), Credentials::Malformed);
    }

    #[test]
    fn all_cookies_of_the_name_are_seen_and_no_more_than_a_few() {
        let secrets: Vec<_> = (0..9).map(|_| new_session_secret()).collect();
        let pairs: Vec<_> = secrets.iter().map(|(secret, _)| format!("testarena_session={secret}")).collect();
        let two = format!("{0}; {0}; {1}", pairs[0], pairs[1]);
        assert_eq!(of(None, Some(&two)), Credentials::Sessions(vec![secrets[0].1, secrets[1].1]));
        let Credentials::Sessions(found) = of(None, Some(&pairs.join("; "))) else { panic!("no session") };
        assert_eq!(found.len(), MAX_SESSIONS);
    }
}
