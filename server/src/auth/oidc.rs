//! Single sign-on beside the local accounts: out to the provider and back with somebody it
//! vouches for. Whose user that is, and whether one is made, is decided here.

mod flow;
mod provider;

use super::{Auth, SecretHash, SignIn, Started, carried_through};
use crate::answer_words;
use crate::config::OidcConfig;
use crate::error::ApiError;
use crate::store::audit::{AuditEntry, insert_audit_entry, insert_lone_entry};
use crate::store::oidc::{self as store, Visitor, Welcome};
use crate::store::users::User;
use axum::http::HeaderMap;
use flow::Flow;
use protocol::api::{AuditAction, SingleSignOn, SingleSignOnFailure, Via};
use protocol::{Timestamp, names};
use provider::{Claims, Provider};
use serde_json::{Value, json};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Where the provider sends the browser back to.
pub const CALLBACK_PATH: &str = "/login/oidc/callback";

pub(super) struct Oidc {
    config: OidcConfig,
    provider: Provider,
    is_secure: bool,
}

/// Why nobody was signed in. The code is for the page, which has the words.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the browser did not begin this sign-in, or too long ago")]
    Expired,
    #[error("the provider says {0:?}")]
    Denied(String),
    #[error("{0}")]
    Refused(String),
    #[error("the provider can't be reached: {0}")]
    Unavailable(String),
    #[error("too many sign-ins are under way")]
    Busy,
    #[error("none of the user's groups may sign in")]
    NotAllowed,
    #[error("the provider gives no name that a user can have")]
    NoName,
    #[error("somebody else has the name {0}")]
    NameTaken(String),
    #[error("{0}")]
    Own(ApiError),
}

impl Failure {
    fn refused(why: &str) -> Self {
        Self::Refused(why.to_owned())
    }

    fn unavailable(error: &(dyn Error + 'static)) -> Self {
        // The reason stands at the end of the chain.
        Self::Unavailable(answer_words::with_causes(error))
    }

    /// The word for the page's `?error=`: one of single sign-on's, or of the API's.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired => SingleSignOnFailure::Expired.as_str(),
            Self::Denied(_) => SingleSignOnFailure::Denied.as_str(),
            Self::Refused(_) => SingleSignOnFailure::Failed.as_str(),
            Self::Unavailable(_) | Self::Busy => SingleSignOnFailure::Unavailable.as_str(),
            Self::NotAllowed => SingleSignOnFailure::NotAllowed.as_str(),
            Self::NoName => SingleSignOnFailure::Username.as_str(),
            Self::NameTaken(_) => SingleSignOnFailure::UsernameTaken.as_str(),
            Self::Own(error) => error.code().as_str(),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Own(error)
    }
}

/// What the provider sends the browser back with.
pub struct ProviderAnswer {
    pub state: String,
    pub code: Option<String>,
    pub error: Option<String>,
    pub issuer: Option<String>,
}

/// Whose browser it is.
pub struct Browser {
    pub headers: HeaderMap,
    pub address: Option<IpAddr>,
    pub sessions: Vec<SecretHash>,
}

impl Oidc {
    pub(super) fn new(config: &OidcConfig, public_url: &str) -> Result<Self, String> {
        let provider = Provider::new(config, public_url)?;
        Ok(Self { config: config.clone(), provider, is_secure: !public_url.starts_with("http://") })
    }
}

impl Auth {
    /// What the page needs for its button; `None` where there is no single sign-on.
    pub fn single_sign_on(&self) -> Option<SingleSignOn> {
        let config = &self.0.oidc.as_ref()?.config;
        Some(SingleSignOn { label: config.label.clone(), path: protocol::api::SINGLE_SIGN_ON_PATH.to_owned() })
    }

    fn oidc(&self) -> Result<&Oidc, Failure> {
        self.0.oidc.as_ref().ok_or_else(|| ApiError::not_found("there is no single sign-on here").into())
    }

    /// The provider's address to send the browser to, and the cookie that it has to bring back.
    pub async fn begin_single_sign_on(&self, next: &str) -> Result<(String, String), Failure> {
        let oidc = self.oidc()?;
        let (url, flow) = oidc.provider.begin(next.to_owned()).await?;
        Ok((url, flow.cookie(oidc.is_secure)))
    }

    /// Signs in whom the provider vouches for; in any case tells the page that was asked for, as far as that is known.
    pub async fn finish_single_sign_on(
        &self,
        answer: ProviderAnswer,
        browser: Browser,
    ) -> (Result<Started, Failure>, Option<String>) {
        let oidc = match self.oidc() {
            Ok(oidc) => oidc,
            Err(failure) => return (Err(failure), None),
        };
        let Some(flow) = Flow::of(&browser.headers, &answer.state, oidc.is_secure) else {
            return (Err(Failure::Expired), None);
        };
        (self.end_flow(oidc, answer, &flow, browser).await, Some(flow.next))
    }

    async fn end_flow(
        &self,
        oidc: &Oidc,
        answer: ProviderAnswer,
        flow: &Flow,
        browser: Browser,
    ) -> Result<Started, Failure> {
        // Each is a call to the provider, whatever it comes to; counted until it was right, and under the address alone,
        // for whose it is shows only then.
        let (address, counted_at) = (browser.address, Instant::now());
        self.0.limits.count(None, address, counted_at).map_err(super::check::too_many_attempts)?;
        let signed_in = self.sign_in_visitor(oidc, answer, flow, browser).await;
        match &signed_in {
            Ok(_) => self.0.limits.take_back(None, address, counted_at),
            Err(failure) => self.note_failure(failure, address).await,
        }
        signed_in
    }

    async fn sign_in_visitor(
        &self,
        oidc: &Oidc,
        answer: ProviderAnswer,
        flow: &Flow,
        browser: Browser,
    ) -> Result<Started, Failure> {
        if answer.issuer.is_some_and(|issuer| issuer != oidc.config.issuer) {
            return Err(Failure::refused("the answer comes from another provider than the one that was asked"));
        }
        if let Some(error) = answer.error {
            return Err(Failure::Denied(error));
        }
        let code = answer.code.ok_or_else(|| Failure::refused("the provider sent neither a code nor an error"))?;
        let claims = oidc.provider.claims(code, flow).await?;
        let visitor = visitor_of(&claims, &oidc.config)?;
        let user = self.welcome(visitor, browser.address).await?;
        let sign_in =
            SignIn { user: Arc::new(user), via: Via::Oidc, address: browser.address, replaces: browser.sessions };
        Ok(self.start_session(sign_in).await?)
    }

    async fn welcome(&self, visitor: Visitor, address: Option<IpAddr>) -> Result<User, Failure> {
        let auth = self.clone();
        let wanted = visitor.username.clone();
        let welcome = carried_through(async move {
            let now = Timestamp::now();
            let welcome = auth.0.store.write(move |connection| {
                let welcome = store::welcome(connection, &visitor, now)?;
                if let Some(entry) = audit(&welcome, address) {
                    insert_audit_entry(connection, entry, now)?;
                }
                Ok(welcome)
            });
            let welcome = welcome.await?;
            if let Welcome::Known(user) | Welcome::Changed(user) | Welcome::Made(user) = &welcome {
                auth.forget_user(user.id);
            }
            Ok(welcome)
        });
        match welcome.await? {
            Welcome::Known(user) | Welcome::Changed(user) | Welcome::Made(user) => Ok(user),
            Welcome::NoName => Err(Failure::NoName),
            Welcome::NameTaken => Err(Failure::NameTaken(wanted.unwrap_or_default())),
        }
    }

    async fn note_failure(&self, failure: &Failure, address: Option<IpAddr>) {
        tracing::warn!(code = failure.code(), cause = ?failure.to_string(), "a single sign-on failed");
        let (object, detail) = ("user:unknown".to_owned(), json!({ "reason": failure.code() }));
        let entry = AuditEntry::by_nobody(Via::Oidc, AuditAction::SignInFailed, object, &detail).by(None, address);
        let now = Timestamp::now();
        let noted = self.0.store.write(move |connection| insert_lone_entry(connection, entry, now));
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a failed sign-in could not be noted in the audit log");
        }
    }

    /// Takes the cookie of a sign-in that is over out of the browser.
    pub fn clear_single_sign_on(&self) -> String {
        flow::clearing_cookie(self.0.oidc.as_ref().is_some_and(|oidc| oidc.is_secure))
    }
}

/// What a visit has changed here.
fn audit(welcome: &Welcome, address: Option<IpAddr>) -> Option<AuditEntry> {
    let (user, action, detail) = match welcome {
        Welcome::Made(user) => {
            (user, AuditAction::CreateUser, json!({ "username": user.username, "is_admin": user.is_admin }))
        }
        Welcome::Changed(user) => (user, AuditAction::ChangeUser, json!({ "is_admin": user.is_admin })),
        Welcome::Known(_) | Welcome::NoName | Welcome::NameTaken => return None,
    };
    let entry = AuditEntry::by_nobody(Via::Oidc, action, format!("user:{}", user.id), &detail);
    Some(entry.by(Some(user.username.clone()), address))
}

/// Who the provider says that it is, and what that means here.
fn visitor_of(claims: &Claims, config: &OidcConfig) -> Result<Visitor, Failure> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let groups = groups_of(claims.get(&config.groups_claim));
    let is_in = |wanted: &[String]| wanted.iter().any(|group| groups.contains(&group.as_str()));
    if !config.allowed_groups.is_empty() && !is_in(&config.allowed_groups) && !is_in(&config.admin_groups) {
        return Err(Failure::NotAllowed);
    }
    let username = text(&config.username_claim).map(str::to_ascii_lowercase).filter(|name| names::is_username(name));
    Ok(Visitor {
        issuer: config.issuer.clone(),
        subject: text("sub").ok_or_else(|| Failure::refused("the ID token has no subject"))?.to_owned(),
        username,
        is_admin: (!config.admin_groups.is_empty()).then(|| is_in(&config.admin_groups)),
    })
}

/// A list as a rule; some providers send one name alone.
fn groups_of(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(group)) => vec![group.as_str()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(claims: Value) -> Result<Visitor, &'static str> {
        let config = OidcConfig {
            issuer: "https://id.example".to_owned(),
            client_id: "testarena".to_owned(),
            client_secret: None,
            label: "Company account".to_owned(),
            username_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            allowed_groups: vec!["hardware".to_owned()],
            admin_groups: vec!["hardware-admins".to_owned()],
        };
        let Value::Object(claims) = claims else { panic!("no object") };
        visitor_of(&claims, &config).map_err(|failure| failure.code())
    }

    #[test]
    fn groups_decide_who_may_come_and_who_administers() {
        let of = |groups: Value| visitor(json!({"sub": "s", "preferred_username": "Ada", "groups": groups}));
        assert_eq!(of(json!(["x", "hardware"])).map(|visitor| visitor.is_admin), Ok(Some(false)));
        assert_eq!(of(json!("hardware")).map(|visitor| visitor.username), Ok(Some("ada".to_owned())));
        assert_eq!(of(json!(["hardware-admins"])).map(|visitor| visitor.is_admin), Ok(Some(true)));
        for none in [json!([]), json!(["hardware2", 7]), json!(null), json!({"hardware": true})] {
            assert_eq!(of(none), Err("oidc_not_allowed"));
        }
    }

    #[test]
    fn a_name_that_no_user_can_have_is_none() {
        let of = |name: Value| visitor(json!({"sub": "s", "preferred_username": name, "groups": "hardware"}));
        for bad in [json!("ada@example.org"), json!(""), json!("-ada"), json!("ada lovelace"), json!(7), json!(null)] {
            assert_eq!(of(bad).map(|visitor| visitor.username), Ok(None));
        }
        assert_eq!(visitor(json!({"groups": "hardware"})), Err("oidc_failed"));
    }
}
