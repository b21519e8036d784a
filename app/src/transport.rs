//! How a request of the page leaves: by `fetch` in the browser, as a call of the API's router in the same process on
//! the server. One data path and one set of handlers either way. What the server asked for to draw a page goes along
//! in the document, and answers the same questions there.

#[cfg(not(feature = "ssr"))]
mod browser;
#[cfg(feature = "ssr")]
mod server;

#[cfg(not(feature = "ssr"))]
pub(crate) use browser::{forget_answers, is_served, send, take_over};
#[cfg(feature = "ssr")]
pub use server::ApiRouter;
#[cfg(feature = "ssr")]
pub(crate) use server::{Answers, ask, is_served, send};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query, from `/api`.
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) json: Option<String>,
    /// In the same process nobody waits for a network.
    #[cfg_attr(feature = "ssr", expect(dead_code))]
    pub(crate) patience: Patience,
}

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What the server knows itself.
    Short,
    /// What it may have to ask a remote server for over SSH, or to look for in a large log.
    Long,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) synced_at: Option<String>,
    pub(crate) body: String,
}

/// No answer came: the server or the network is away, or the time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// What was answered to a GET of that URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    url: String,
    response: Result<Response, NoAnswer>,
}

/// For the way to the browser as lines of text: bodies are JSON already, and to wrap them in more of it would only
/// escape all of it once more.
impl Answer {
    /// As many as `to_parts` makes.
    #[cfg(feature = "ssr")]
    const PARTS: usize = 5;

    /// None where there are no more.
    #[cfg(any(test, not(feature = "ssr")))]
    pub(crate) fn of_parts<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let text = |part: &str| Some(part).filter(|part| !part.is_empty()).map(str::to_owned);
        let (url, status) = (parts.next()?.to_owned(), parts.next()?);
        let (etag, synced_at, body) = (text(parts.next()?), text(parts.next()?), parts.next()?.to_owned());
        let response = status.parse().map(|status| Response { status, etag, synced_at, body });
        Some(Self { url, response: response.map_err(|_| NoAnswer) })
    }

    /// What was asked for, of all the parts of some.
    #[cfg(feature = "ssr")]
    pub(crate) fn urls_of<'a>(parts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
        parts.step_by(Self::PARTS)
    }

    #[cfg(feature = "ssr")]
    fn to_parts(&self) -> [String; Self::PARTS] {
        let url = self.url.clone();
        match self.response.clone() {
            Err(NoAnswer) => [url, String::new(), String::new(), String::new(), String::new()],
            Ok(Response { status, etag, synced_at, body }) => {
                [url, status.to_string(), etag.unwrap_or_default(), synced_at.unwrap_or_default(), body]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_to_the_browser_as_they_were_given() {
        let response =
            Response { status: 200, etag: Some("\"7\"".to_owned()), synced_at: None, body: "{\"a\":1}".to_owned() };
        let answers = [
            Answer { url: "/api/jobs".to_owned(), response: Ok(response) },
            Answer { url: "/api/environments".to_owned(), response: Err(NoAnswer) },
        ];
        let parts: Vec<String> = answers.iter().flat_map(Answer::to_parts).collect();
        let urls: Vec<&str> = Answer::urls_of(parts.iter().map(String::as_str)).collect();
        assert_eq!(urls, ["/api/jobs", "/api/environments"]);
        let mut parts = parts.iter().map(String::as_str);
        let read = [Answer::of_parts(&mut parts), Answer::of_parts(&mut parts)];
        assert_eq!(read, answers.map(Some));
        assert_eq!(Answer::of_parts(&mut parts), None);
    }
}
