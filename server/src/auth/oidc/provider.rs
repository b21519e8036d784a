//! The single sign-on provider over HTTP: what it says of itself, and what it says of somebody who comes back from it.
//! The protocol is `openidconnect`'s; calls go through the client that the rest of the server uses.

use super::Failure;
use super::flow::Flow;
use crate::answer_words;
use crate::config::OidcConfig;
use crate::kept::locked;
use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::{Method, Request, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreProviderMetadata, CoreTokenResponse};
use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use serde_json::{Map, Value};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedMutexGuard, Semaphore};

/// Of one call: people wait for it.
const CALL_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Far more than a provider says of itself or of anybody.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How long what a provider says of itself is remembered, its keys among it.
const METADATA_LASTS: Duration = Duration::from_mins(5);
/// Keys that are older than this are asked for anew before a signature counts as wrong.
const KEYS_MAY_BE_OLD: Duration = Duration::from_secs(10);
/// At most so many at once wait for the provider; each is somebody's sign-in.
const PARALLEL: usize = 16;
/// At most so many browsers wait for what the provider says of itself; it is asked once for all of them.
const WAITING: usize = 100;
/// A provider that did not answer is not asked again at once, whoever comes.
const FAILURE_LASTS: Duration = Duration::from_secs(1);
/// Asked for where the provider offers them.
const SCOPES: [&str; 3] = ["profile", "email", "groups"];

pub(super) type Claims = Map<String, Value>;

/// What the provider last said of itself, and when.
type Known = Option<(Arc<CoreProviderMetadata>, Instant)>;

pub(super) struct Provider {
    config: OidcConfig,
    redirect: RedirectUrl,
    issuer: IssuerUrl,
    http: Caller,
    metadata: Arc<Mutex<Known>>,
    /// Why the provider told nothing of itself, and when; held while it is asked.
    asking: Arc<tokio::sync::Mutex<Option<(String, Instant)>>>,
    waiting: Semaphore,
    places: Semaphore,
}

/// Why a call did not bring an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    #[error("the answer can't be read: {0}")]
    Malformed(#[from] axum::http::Error),
}

/// The HTTP client as the protocol's library takes it.
#[derive(Clone)]
struct Caller(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Caller {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let (parts, body) = request.into_parts();
        let sent = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
        let mut answer = sent.await?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.clone_from(answer.headers());
        }
        let mut whole = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if whole.len() + piece.len() > MAX_ANSWER_BYTES {
                return Err(CallError::TooLong);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(response.body(whole)?)
    }
}

impl Provider {
    pub(super) fn new(config: &OidcConfig, public_url: &str) -> Result<Self, String> {
        let redirect = format!("{}{}", public_url.trim_end_matches('/'), super::CALLBACK_PATH);
        // Fails only where one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("TestArena/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
            .timeout(CALL_LIMIT)
            // What the provider says of itself must come from the provider.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if config.issuer.starts_with("http://") {
            // Starts also on a machine that has no certificates.
            http = http.tls_certs_only([]);
        }
        let wrong = |error: &dyn std::fmt::Display| format!("oidc.issuer: {error}");
        Ok(Self {
            redirect: RedirectUrl::new(redirect).map_err(|error| format!("public_url: {error}"))?,
            issuer: IssuerUrl::new(config.issuer.clone()).map_err(|error| wrong(&error))?,
            http: Caller(http.build().map_err(|error| wrong(&error))?),
            config: config.clone(),
            metadata: Arc::default(),
            asking: Arc::default(),
            waiting: Semaphore::new(WAITING),
            places: Semaphore::new(PARALLEL),
        })
    }

    /// Where to send the browser, and what it must bring back.
    pub(super) async fn begin(&self, next: String) -> Result<(String, Flow), Failure> {
        let metadata = self.metadata(METADATA_LASTS).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client(&metadata);
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_pkce_challenge(challenge);
        for scope in SCOPES {
            let is_offered = metadata.scopes_supported().is_none_or(|offered| offered.iter().any(|one| **one == scope));
            // What a provider does not list, it may refuse; the first two are every provider's.
            if is_offered && (scope != "groups" || metadata.scopes_supported().is_some()) {
                request = request.add_scope(Scope::new(scope.to_owned()));
            }
        }
        let (url, state, nonce) = request.url();
        let flow = Flow {
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            next,
        };
        Ok((url.into(), flow))
    }

    /// What the provider vouches for about whoever came back with this code.
    pub(super) async fn claims(&self, code: String, flow: &Flow) -> Result<Claims, Failure> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Failure::Busy);
        };
        let metadata = self.metadata(METADATA_LASTS).await?;
        let answer = self.exchange(&metadata, code, flow).await?;
        let token = answer.id_token().ok_or_else(|| Failure::refused("the provider sent no ID token"))?;
        if let Err(first) = self.verify(&metadata, token, &answer, flow) {
            // It may have begun to sign with a key that it had not told of yet.
            let fresh = self.metadata(KEYS_MAY_BE_OLD).await?;
            if Arc::ptr_eq(&fresh, &metadata) {
                return Err(first);
            }
            self.verify(&fresh, token, &answer, flow)?;
        }
        let mut claims = payload(token)?;
        if self.lacks_some(&claims) {
            let more = self.user_info(&metadata, answer.access_token().secret()).await?;
            // Told by the token's subject alone; the ID token's own claims go first.
            if more.get("sub") == claims.get("sub") {
                for (name, value) in more {
                    claims.entry(name).or_insert(value);
                }
            }
        }
        Ok(claims)
    }

    fn lacks_some(&self, claims: &Claims) -> bool {
        let needs_groups = !self.config.allowed_groups.is_empty() || !self.config.admin_groups.is_empty();
        let lacks = |name: &str| !claims.contains_key(name);
        lacks(&self.config.username_claim) || needs_groups && lacks(&self.config.groups_claim)
    }

    async fn exchange(
        &self,
        metadata: &CoreProviderMetadata,
        code: String,
        flow: &Flow,
    ) -> Result<CoreTokenResponse, Failure> {
        let client = self.client(metadata);
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Failure::refused(&format!("the provider has no token endpoint: {error}")))?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        request.request_async(&self.http).await.map_err(|error| match error {
            openidconnect::RequestTokenError::Request(error) => Failure::unavailable(&error),
            openidconnect::RequestTokenError::ServerResponse(answer) => Failure::refused(&answer.to_string()),
            other => Failure::refused(&other.to_string()),
        })
    }

    fn verify(
        &self,
        metadata: &CoreProviderMetadata,
        token: &CoreIdToken,
        answer: &CoreTokenResponse,
        flow: &Flow,
    ) -> Result<(), Failure> {
        let client = self.client(metadata);
        // Some providers name all clients of a project; then it is made for the one that is its authorized party.
        let verifier = client.id_token_verifier().set_other_audience_verifier_fn(|_| true);
        let wrong = |error: &dyn std::fmt::Display| Failure::refused(&format!("the ID token is not good: {error}"));
        let claims = token.claims(&verifier, &Nonce::new(flow.nonce.clone())).map_err(|error| wrong(&error))?;
        let is_for_us = claims.authorized_party().is_some_and(|party| party.as_str() == self.config.client_id);
        if claims.audiences().len() > 1 && !is_for_us {
            return Err(Failure::refused("the ID token is for others as well, and not made for this client"));
        }
        if claims.subject().is_empty() {
            return Err(Failure::refused("the ID token names nobody"));
        }
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| wrong(&error))?;
            let key = token.signing_key(&verifier).map_err(|error| wrong(&error))?;
            let actual = AccessTokenHash::from_token(answer.access_token(), algorithm, key);
            if actual.map_err(|error| wrong(&error))? != *expected {
                return Err(Failure::refused("the access token is not the one that the ID token was made with"));
            }
        }
        Ok(())
    }

    async fn user_info(&self, metadata: &CoreProviderMetadata, access_token: &str) -> Result<Claims, Failure> {
        let Some(endpoint) = metadata.userinfo_endpoint() else {
            return Ok(Claims::new());
        };
        let request = Request::builder()
            .method(Method::GET)
            .uri(endpoint.as_str())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {access_token}"))
            .body(Vec::new())
            .map_err(|error| Failure::refused(&error.to_string()))?;
        let answer = self.http.send(request).await.map_err(|error| Failure::unavailable(&error))?;
        if !answer.status().is_success() {
            return Err(Failure::refused(&format!("the provider's user info answered {}", answer.status())));
        }
        serde_json::from_slice(answer.body()).map_err(|error| Failure::refused(&error.to_string()))
    }

    fn client(
        &self,
        metadata: &CoreProviderMetadata,
    ) -> CoreClient<
        openidconnect::EndpointSet,
        openidconnect::EndpointNotSet,
        openidconnect::EndpointNotSet,
        openidconnect::EndpointNotSet,
        openidconnect::EndpointMaybeSet,
        openidconnect::EndpointMaybeSet,
    > {
        let secret = self.config.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()));
        CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(self.config.client_id.clone()), secret)
            .set_redirect_uri(self.redirect.clone())
    }

    /// What the provider says of itself, not older than this.
    async fn metadata(&self, not_older_than: Duration) -> Result<Arc<CoreProviderMetadata>, Failure> {
        if let Some(metadata) = self.known(not_older_than) {
            return Ok(metadata);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(Failure::Busy);
        };
        let wanted_at = Instant::now();
        let asking = Arc::clone(&self.asking).lock_owned().await;
        // Others may have asked meanwhile.
        if let Some(metadata) = self.known(not_older_than) {
            return Ok(metadata);
        }
        match &*asking {
            Some((why, at)) if *at >= wanted_at || at.elapsed() < FAILURE_LASTS => {
                return Err(Failure::Unavailable(why.clone()));
            }
            _ => {}
        }
        // Apart from its asker: browsers that hang up and come again would each begin a call.
        let asked = tokio::spawn(discover(self.issuer.clone(), self.http.clone(), Arc::clone(&self.metadata), asking));
        asked.await.unwrap_or_else(|error| Err(error.to_string())).map_err(Failure::Unavailable)
    }

    fn known(&self, not_older_than: Duration) -> Option<Arc<CoreProviderMetadata>> {
        let known = locked(&self.metadata).clone();
        known.filter(|(_, at)| at.elapsed() < not_older_than).map(|(metadata, _)| metadata)
    }
}

/// Asks the provider what it says of itself, and notes what came of it.
async fn discover(
    issuer: IssuerUrl,
    http: Caller,
    known: Arc<Mutex<Known>>,
    mut asking: OwnedMutexGuard<Option<(String, Instant)>>,
) -> Result<Arc<CoreProviderMetadata>, String> {
    match CoreProviderMetadata::discover_async(issuer, &http).await {
        Ok(found) => {
            let found = Arc::new(found);
            *locked(&known) = Some((Arc::clone(&found), Instant::now()));
            Ok(found)
        }
        Err(error) => {
            let why = answer_words::with_causes(&error);
            *asking = Some((why.clone(), Instant::now()));
            Err(why)
        }
    }
}

/// All claims of an ID token that has been verified; the standard ones are not enough, since the configuration names some.
fn payload(token: &CoreIdToken) -> Result<Claims, Failure> {
    let text = token.to_string();
    let payload = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.ok_or_else(|| Failure::refused("the ID token's claims can't be read"))
}
