//! What is said of a failure: a sentence of ours for everybody, and all that is known for admins and the log.
//! Addresses, commands, standard error and the network's own words stand in the second one only.

use super::words;
use std::fmt;
use std::io;

/// How far a call came that did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// There was no connection: the server has not heard of it.
    Unsent,
    /// It may have arrived; no answer came, or not all of it.
    Unanswered,
    /// Something answered it.
    Answered,
}

/// `Display` is the sentence for everybody, so that the other text is told on purpose or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    public: String,
    private: String,
    reach: Reach,
    is_too_long: bool,
    is_missing_page: bool,
}

impl Failure {
    pub fn new(public: impl Into<String>, private: impl Into<String>) -> Self {
        let (public, private) = (words::tidied(public.into()), words::tidied(private.into()));
        Self { public, private, reach: Reach::Answered, is_too_long: false, is_missing_page: false }
    }

    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    #[must_use]
    pub fn of_a_long_answer(self) -> Self {
        Self { is_too_long: true, ..self }
    }

    #[must_use]
    pub fn of_a_missing_page(self) -> Self {
        Self { is_missing_page: true, ..self }
    }

    /// A page says that there is nothing, which may be another's than the server's.
    pub fn is_missing_page(&self) -> bool {
        self.is_missing_page
    }

    /// The answer was longer than anything that is read: it will be so again.
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// For everybody.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// For admins and the log: what happened where, and how to mend it.
    pub fn private(&self) -> &str {
        &self.private
    }

    pub fn told_to(&self, is_admin: bool) -> &str {
        if is_admin { &self.private } else { &self.public }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.public)
    }
}

/// A text that holds nothing that is not for everybody.
impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::new(text.clone(), text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// What kept a call from being answered, in plain words without an address.
pub fn network_words(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the connection broke"
        }
        io::ErrorKind::UnexpectedEof => "the connection was closed too early",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            "no way to it through the network"
        }
        io::ErrorKind::TimedOut => "no answer in time",
        // What a resolver says has no kind of its own.
        _ if error.raw_os_error().is_none() && error.to_string().contains("lookup") => "its name is not known",
        _ => "the network failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_text_is_only_told_to_admins() {
        let failure = Failure::new("bench-a can't be reached: connection refused", "can't connect to 10.0.0.1:22");
        assert_eq!(failure.to_string(), failure.told_to(false));
        assert!(!failure.to_string().contains("10.0.0.1") && failure.told_to(true).contains("10.0.0.1"));
    }
}
