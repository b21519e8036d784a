//! An address of ours, taken apart the same way on the server and in the browser.

use crate::paths;
use percent_encoding::percent_decode_str;

/// Path and query; what follows a `#` is the log's business alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) path: String,
    /// Names and values as they are meant, without their encoding.
    query: Vec<(String, String)>,
}

impl Url {
    /// Of `/path?name=value&…`, as it stands in a request or in the address bar.
    pub(crate) fn parse(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        };
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
        Self { path: path.to_owned(), query }
    }

    /// The first value of that name; empty where there is none, which means the same everywhere.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.query.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn to_text(&self) -> String {
        let pairs: Vec<(&str, &str)> = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        paths::with_query(&self.path, &pairs)
    }
}

/// A form writes a space as `+`.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_a_form_writes_it() {
        let url = Url::parse("/?search=a+b%2Bc&branch=feature/%C3%A4&&flag&search=second");
        assert_eq!((url.path.as_str(), url.get("search")), ("/", "a b+c"));
        assert_eq!((url.get("branch"), url.get("flag"), url.get("none")), ("feature/ä", "", ""));
    }

    #[test]
    fn an_address_is_written_as_it_was_read() {
        assert_eq!(Url::parse("/jobs/42?tab=logs&task=42-1").to_text(), "/jobs/42?tab=logs&task=42-1");
        assert_eq!(Url::parse("/").to_text(), "/");
    }

    #[test]
    fn broken_encoding_is_taken_as_it_stands() {
        assert_eq!(Url::parse("/?q=100%&r=%zz%ff").get("q"), "100%");
    }
}
