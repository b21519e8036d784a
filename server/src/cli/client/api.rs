//! One call of the JSON API: credentials, time limits, and what comes back as a reply or a failure.
//! The only file of the client that sends anything.

use super::failure::{Failure, Problem, Refusal};
use crate::answer_words;
use crate::config::Secret;
use crate::remote::with_tls;
use protocol::api::REQUEST_ID_HEADER;
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Of a whole call: longer than the 45 s that the server takes at most for a question to an environment.
const CALL_LIMIT: Duration = Duration::from_mins(1);
/// Of the silence between two pieces of a long body.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);
/// How long a command that does not wait for anything lets a server with `Retry-After` put it off.
const PUT_OFF_LIMIT: Duration = Duration::from_secs(30);
/// More than any answer that is read as a whole: a page of 200 jobs, a job of 1,000 tasks, its JUnit XML.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

const CERTIFICATE_HINT: &str = "; SSL_CERT_FILE can name a file with the certificate of an authority to trust";

pub(super) enum Credentials {
    Token(Secret),
    Password { username: String, password: Secret },
}

pub(super) struct Api {
    client: reqwest::Client,
    /// Without a slash at the end.
    base: String,
    credentials: Credentials,
}

impl Api {
    /// Proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`, …) hold. A redirect is not followed: it would carry the
    /// token to somewhere else.
    pub(super) fn new(base: &str, credentials: Credentials) -> Result<Self, Failure> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("testarena/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
            .redirect(reqwest::redirect::Policy::none());
        let client = with_tls(builder, base.starts_with("https://")).build();
        let client = client
            .map_err(|error| Failure::Local(format!("can't speak HTTP: {}", answer_words::last_cause(&error))))?;
        Ok(Self { client, base: base.to_owned(), credentials })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(super) fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(super) fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request = self.client.request(method, format!("{}{path}", self.base)).header(ACCEPT, "*/*");
        let request = match &self.credentials {
            Credentials::Token(token) => request.bearer_auth(token.expose()),
            Credentials::Password { username, password } => request.basic_auth(username, Some(password.expose())),
        };
        Call { base: &self.base, request, limit: CALL_LIMIT }
    }
}

/// A call that is not yet sent.
pub(super) struct Call<'a> {
    base: &'a str,
    request: RequestBuilder,
    limit: Duration,
}

impl Call<'_> {
    pub(super) fn json(mut self, body: &impl Serialize) -> Self {
        self.request = self.request.json(body);
        self
    }

    pub(super) fn header(mut self, name: impl Into<HeaderName>, value: &str) -> Self {
        self.request = self.request.header(name.into(), value);
        self
    }

    /// For a call that the server holds back on purpose.
    pub(super) fn longer_by(mut self, wait: Duration) -> Self {
        self.limit += wait;
        self
    }

    /// Sends it, and again when a busy server says after which short time it may come again.
    pub(super) async fn send(self) -> Result<Reply, Failure> {
        let start = Instant::now();
        loop {
            let failure = match self.send_once().await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            match failure.retry_after() {
                Some(wait) if failure.may_pass() && start.elapsed() + wait <= PUT_OFF_LIMIT => {
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(failure),
            }
        }
    }

    /// Sends it and reads the answer whole.
    pub(super) async fn send_once(&self) -> Result<Reply, Failure> {
        let reading = async {
            let mut stream = self.open().await?;
            let mut body = Vec::new();
            while let Some(chunk) = stream.next().await? {
                body.extend_from_slice(chunk.as_ref());
                if body.len() > MAX_BODY_BYTES {
                    return Err(Failure::strange(self.base, "more than 64 MiB"));
                }
            }
            Ok(Reply { base: self.base.to_owned(), status: stream.status, headers: stream.headers, body })
        };
        timeout(self.limit, reading).await.unwrap_or_else(|_| Err(self.too_late(self.limit)))
    }

    /// Sends it; a body of any length comes in pieces.
    pub(super) async fn open(&self) -> Result<Stream, Failure> {
        let Some(request) = self.request.try_clone() else {
            return Err(Failure::Local("a request can't be sent again".to_owned()));
        };
        let sent = timeout(self.limit, request.send()).await;
        let response = sent.map_err(|_| self.too_late(self.limit))?.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if !status.is_success() && status != StatusCode::NOT_MODIFIED {
            return Err(self.refusal(response).await);
        }
        let headers = response.headers().clone();
        Ok(Stream { base: self.base.to_owned(), status, headers, response })
    }

    async fn refusal(&self, response: Response) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
        // What can't be read to its end is told by its status alone.
        let body = timeout(SILENCE_LIMIT, response.text()).await.ok().and_then(Result::ok).unwrap_or_default();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Failure::Refused(Box::new(Refusal {
            status: status.as_u16(),
            base: self.base.to_owned(),
            problem: Problem::read(&body),
            retry_after: text(RETRY_AFTER).and_then(|value| answer_words::retry_after(value, SystemTime::now())),
            location: text(LOCATION).filter(|_| status.is_redirection()).map(str::to_owned),
            request_id: text(HeaderName::from_static(REQUEST_ID_HEADER)).map(str::to_owned),
            body,
        }))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let cause = answer_words::last_cause(error);
        let hint = if cause.contains("certificate") { CERTIFICATE_HINT } else { "" };
        let why = format!("{} can't be reached: {cause}{hint}", self.base);
        Failure::Unreachable { why, was_sent: !error.is_connect() && !error.is_builder() }
    }

    fn too_late(&self, limit: Duration) -> Failure {
        let why = format!("{} did not answer within {} s", self.base, limit.as_secs());
        Failure::Unreachable { why, was_sent: true }
    }
}

/// A success, or `304`.
pub(super) struct Reply {
    base: String,
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn etag(&self) -> Option<String> {
        self.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
    }

    pub(super) fn text(&self) -> Result<&str, Failure> {
        std::str::from_utf8(&self.body).map_err(|_| Failure::strange(&self.base, "no UTF-8"))
    }

    /// Refuses what is of another kind, such as the page of a proxy or of a network that wants a sign-in first.
    pub(super) fn require(&self, kind: &str) -> Result<(), Failure> {
        require(&self.base, &self.headers, kind)
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let is_json = self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/"));
        if !is_json {
            return Err(Failure::strange(&self.base, "no JSON"));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::strange(&self.base, &error.to_string()).and("A server of another version may need its own client.")
        })
    }
}

/// An answer whose body is still on its way.
pub(super) struct Stream {
    base: String,
    status: StatusCode,
    headers: HeaderMap,
    response: Response,
}

impl Stream {
    pub(super) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into())?.to_str().ok()
    }

    /// As `Reply::require`.
    pub(super) fn require(&self, kind: &str) -> Result<(), Failure> {
        require(&self.base, &self.headers, kind)
    }

    pub(super) async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        let broken =
            |why: &str| Failure::Unreachable { why: format!("{} broke off: {why}", self.base), was_sent: true };
        match timeout(SILENCE_LIMIT, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(broken(&answer_words::last_cause(&error))),
            Err(_) => Err(broken("nothing came for a minute")),
        }
    }
}

fn require(base: &str, headers: &HeaderMap, kind: &str) -> Result<(), Failure> {
    let said = headers.get(CONTENT_TYPE).map_or("", |said| said.to_str().unwrap_or_default());
    let essence = said.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(kind) {
        return Ok(());
    }
    Err(Failure::strange(base, &format!("no {kind}")))
}
