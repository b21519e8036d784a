//! One HTTP call to a remote test server: headers, deadlines and limits that all calls share.
//! What the calls mean stands in `server`.

use super::failure::{Failure, network_words};
use super::odd_json;
use super::refusal::{self, About};
use super::{Reach, Refusal, RemoteError};
use crate::answer_words;
use crate::config::{EnvironmentConfig, Secret};
use crate::metrics::process;
use axum::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue,
};
use axum::http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::Timestamp;
use protocol::remote::INSTANCE_HEADER;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Limit of opening a connection, by the contract.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer that is read as a whole, by the contract.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Far more than any hash has, in whatever quotes.
const MAX_ETAG_BYTES: usize = 1024;
/// Most of an error answer that is read: its message is for people.
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// All but RFC 3986's unreserved characters are encoded in a path's segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub struct HttpClient {
    environment: Arc<str>,
    client: reqwest::Client,
    /// Without a slash at the end.
    base: String,
    authorization: Option<HeaderValue>,
    time_limit: Duration,
}

impl HttpClient {
    pub fn new(config: &EnvironmentConfig) -> Result<Self, String> {
        let wrong = |why: &str| format!("environment {}: url: {why}", config.name);
        let url = reqwest::Url::parse(&config.url).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("write an http or https address without \"?\" and \"#\""));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("no user name or password in it; a token goes into token_env"));
        }
        let authorization = config.token.as_ref().map(bearer).transpose();
        let authorization = authorization
            .map_err(|_| format!("environment {}: the token holds characters that no header can carry", config.name))?;
        let builder = reqwest::Client::builder()
            .user_agent(concat!("TestArena/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Remote servers are named in the configuration; the environment's proxy is for other things.
            .no_proxy();
        let client = with_tls(builder, url.scheme() == "https").build();
        Ok(Self {
            environment: config.name.as_str().into(),
            client: client.map_err(|error| wrong(&describe(error)))?,
            base: url.as_str().trim_end_matches('/').to_owned(),
            authorization,
            time_limit: config.http_timeout,
        })
    }

    /// A call to a path (and query) below the base URL, which begins with a slash.
    pub fn call(&self, method: Method, path: &str, instance: &str) -> Call {
        let mut request =
            self.client.request(method.clone(), format!("{}{path}", self.base)).header(INSTANCE_HEADER, instance);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let environment = Arc::clone(&self.environment);
        let name = format!("{method} {path}");
        Call { environment, request, name, time_limit: self.time_limit, is_held_back: false }
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A plain-HTTP client must start also on a machine that has no certificates.
pub(crate) fn with_tls(builder: reqwest::ClientBuilder, is_needed: bool) -> reqwest::ClientBuilder {
    // Fails only where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if is_needed { builder } else { builder.tls_certs_only([]) }
}

/// One segment of a path or value of a query, percent-encoded.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A call that is not yet sent.
pub struct Call {
    environment: Arc<str>,
    request: reqwest::RequestBuilder,
    name: String,
    time_limit: Duration,
    is_held_back: bool,
}

impl Call {
    pub fn json(self, body: &impl Serialize) -> Self {
        Self { request: self.request.json(body), ..self }
    }

    pub fn header(self, name: HeaderName, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    /// For a call that the server holds back on purpose.
    pub fn longer_by(self, wait: Duration) -> Self {
        Self { time_limit: self.time_limit + wait, is_held_back: true, ..self }
    }

    /// Sends it. Any answer of the server's is a reply, whatever its status.
    pub async fn send(self) -> Result<Reply, RemoteError> {
        let started = Instant::now();
        let deadline = started + self.time_limit;
        let sent = tokio::time::timeout_at(deadline, self.request.send()).await;
        process::remote_call(&self.environment, outcome(&sent, self.is_held_back), started.elapsed());
        let Ok(result) = sent else {
            return Err(too_late(&self.environment, &self.name, self.time_limit));
        };
        let response = result.map_err(|error| {
            let reach = if error.is_connect() { Reach::Unsent } else { Reach::Unanswered };
            RemoteError::told_apart(
                format!("{} can't be reached: {}", self.environment, plain_words(&error)),
                format!("{} failed: {}; check url and that the server runs", self.name, describe(error)),
            )
            .reaching(reach)
        })?;
        let Self { environment, name, time_limit, .. } = self;
        Ok(Reply { environment, response, name, time_limit, deadline })
    }
}

/// What came of a call, in one of few words. An answer that was held back on purpose says nothing about the server's
/// speed, so it is counted apart.
fn outcome<E>(sent: &Result<reqwest::Result<reqwest::Response>, E>, is_held_back: bool) -> &'static str {
    match sent {
        Err(_) => "timeout",
        Ok(Err(error)) if error.is_connect() => "unreachable",
        Ok(Err(_)) => "broken",
        Ok(Ok(answer)) if answer.status().is_server_error() => "failed",
        Ok(Ok(answer)) if answer.status().is_client_error() => "refused",
        Ok(Ok(_)) if is_held_back => "waited",
        Ok(Ok(_)) => "ok",
    }
}

/// An answer whose body is still on its way.
pub struct Reply {
    environment: Arc<str>,
    response: reqwest::Response,
    name: String,
    time_limit: Duration,
    deadline: Instant,
}

impl Reply {
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The server's clock.
    pub fn server_now(&self) -> Option<Timestamp> {
        server_time(self.headers()).map(Timestamp::from)
    }

    /// It is kept with its job, and sent back with each question: one without measure counts as none.
    pub fn etag(&self) -> Option<String> {
        self.header(ETAG).filter(|etag| etag.len() <= MAX_ETAG_BYTES).map(ToOwned::to_owned)
    }

    /// The call's name for messages: method and path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a whole call may take.
    pub fn time_limit(&self) -> Duration {
        self.time_limit
    }

    /// Gives the rest of a body that comes in pieces a whole call's time again.
    pub fn renew_deadline(&mut self) {
        self.deadline = Instant::now() + self.time_limit;
    }

    /// The next piece of the body; `None`: it is complete.
    pub async fn chunk(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, RemoteError> {
        match tokio::time::timeout_at(self.deadline, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(RemoteError::told_apart(
                format!("{}'s answer broke off", self.environment),
                format!("{} broke off: {}", self.name, describe(error)),
            )
            .reaching(Reach::Unanswered)),
            Err(_) => Err(too_late(&self.environment, &self.name, self.time_limit)),
        }
    }

    /// Whether there is no body.
    pub async fn ends_empty(mut self) -> Result<bool, RemoteError> {
        while let Some(chunk) = self.chunk().await? {
            if !chunk.as_ref().is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub async fn json<T: DeserializeOwned>(mut self) -> Result<T, RemoteError> {
        let announced = self.header(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
        let mut body = Vec::new();
        let mut is_too_large = announced > MAX_ANSWER_BYTES as u64;
        while !is_too_large && let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(chunk.as_ref());
            is_too_large = body.len() > MAX_ANSWER_BYTES;
        }
        if is_too_large {
            let limit = MAX_ANSWER_BYTES >> 20;
            let failure = Failure::new(
                format!("{} answered more than {limit} MiB", self.environment),
                format!("{} answered more than {limit} MiB", self.name),
            );
            return Err(RemoteError::transient(failure.of_a_long_answer()));
        }
        odd_json::read(&body).map_err(|error| {
            RemoteError::told_apart(
                format!("{} answered something that is not of the contract: {error}", self.environment),
                format!("{} answered no JSON of the contract: {error}; check url and version", self.name),
            )
        })
    }

    /// What an answer that is no success says.
    pub async fn into_error(mut self, about: About) -> RemoteError {
        let mut body = Vec::new();
        while body.len() < MAX_ERROR_BYTES
            && let Ok(Some(chunk)) = self.chunk().await
        {
            body.extend_from_slice(chunk.as_ref());
        }
        let now = server_time(self.headers()).unwrap_or_else(SystemTime::now);
        let call = refusal::Named { environment: &self.environment, call: &self.name };
        let error = refusal::read(call, self.status(), self.headers(), &body, now, about);
        if let RemoteError::Permanent(Refusal::Rejected(said)) = &error
            && said.is_empty()
        {
            // What the job does not show may still tell an administrator what stands before the server.
            let (status, words) = (self.status(), refusal::all_words(&body));
            tracing::warn!(environment = &*self.environment, "{} was answered {status}: {words}", self.name);
        }
        error
    }
}

fn server_time(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

fn too_late(environment: &str, call: &str, time_limit: Duration) -> RemoteError {
    let seconds = time_limit.as_secs_f64();
    RemoteError::told_apart(
        format!("{environment} did not answer within {seconds} s"),
        format!("{call} was not answered within {seconds} s; see http_timeout and the server's load"),
    )
    .reaching(Reach::Unanswered)
}

/// Why nothing was answered, without an address.
fn plain_words(error: &reqwest::Error) -> &'static str {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            // TLS tells its failures in here too, without a number of the system's.
            let is_network = cause.raw_os_error().is_some() || cause.kind() != io::ErrorKind::InvalidData;
            return if is_network { network_words(cause) } else { "no secure connection" };
        }
        source = cause.source();
    }
    if error.is_timeout() { "no answer in time" } else { "the connection broke" }
}

/// The error with its causes, but without the address.
fn describe(error: reqwest::Error) -> String {
    answer_words::with_causes(&error.without_url())
}
