//! Bodies about accounts: users and their passwords, personal API tokens, and the log of who did what.

use super::or_no;
use crate::{AuditId, Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Every personal API token begins so.
pub const TOKEN_PREFIX: &str = "ta_";
/// Longest name of a token, in characters.
pub const MAX_TOKEN_NAME_CHARS: usize = 100;
/// Longest life of a token that ends at all: ten years.
pub const MAX_TOKEN_DAYS: u32 = 3_650;
/// Where single sign-on begins.
pub const SINGLE_SIGN_ON_PATH: &str = "/login/oidc";

// --- who is asking ---

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    pub username: String,
    pub password: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    pub current_password: String,
    pub new_password: String,
}

/// How people may sign in here besides a local user name and password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LoginOptions {
    pub single_sign_on: Option<SingleSignOn>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SingleSignOn {
    /// What the button says.
    pub label: String,
    /// Where it leads; `?next=` names the page to come back to.
    pub path: String,
}

// --- users ---

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub is_admin: bool,
    /// An administrator has set the password: the page insists on a new one after sign-in, the API does not.
    pub must_change_password: bool,
    pub created_at: Timestamp,
    pub last_login_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Users {
    pub users: Vec<User>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateUserRequest {
    pub username: String,
    pub password: String,
    #[serde(default, deserialize_with = "or_no")]
    #[cfg_attr(feature = "openapi", schemars(with = "Option<bool>"))]
    pub is_admin: bool,
}

/// What is left out stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeUserRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Of somebody else, who then has to change it (`must_change_password`) and is signed out everywhere; tokens stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
}

// --- personal API tokens ---

words! {
    /// What a token may do.
    TokenScope {
        /// Every GET, and `validate_branch`.
        Read = "read",
        /// Also submit, rerun, and abort and delete the owner's own jobs.
        Submit = "submit",
        /// All that its owner may.
        Admin = "admin",
    }
}

impl TokenScope {
    /// Whether a token with this scope may do what needs that one.
    pub const fn covers(self, needed: Self) -> bool {
        self as u8 >= needed as u8
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub scope: TokenScope,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Tokens {
    pub tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateTokenRequest {
    pub name: String,
    /// `submit` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<TokenScope>,
    /// Never, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<u32>,
}

/// The only answer that ever holds the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CreatedToken {
    #[serde(flatten)]
    pub about: Token,
    pub token: String,
}

// --- who did what ---

words! {
    /// By which means somebody did something.
    Via {
        /// In the browser, with the session cookie.
        Page = "page",
        /// With user name and password.
        Basic = "basic",
        /// With a personal API token.
        Token = "token",
        /// By signing in with the single sign-on provider.
        Oidc = "oidc",
        /// TestArena by itself.
        System = "system",
        /// `testarena user …`.
        Cli = "cli",
    }
}

/// A fact about a deed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DetailValue {
    Flag(bool),
    Number(i64),
    Text(String),
    Texts(Vec<String>),
    Nothing,
}

words! {
    /// What the audit log tells of.
    AuditAction {
        SubmitJob = "job.submit",
        RerunJob = "job.rerun",
        AbortJob = "job.abort",
        DeleteJob = "job.delete",
        CreateToken = "token.create",
        DeleteToken = "token.delete",
        SignIn = "user.sign_in",
        SignInFailed = "user.sign_in_failed",
        SignOut = "user.sign_out",
        ChangePassword = "user.password",
        CreateUser = "user.create",
        ChangeUser = "user.update",
        DeleteUser = "user.delete",
    }
}

words! {
    /// Why single sign-on let nobody in, for the sign-in view's `?error=`.
    SingleSignOnFailure {
        /// The browser did not begin it, or too long ago.
        Expired = "oidc_expired",
        /// The provider refused, or the user did.
        Denied = "oidc_denied",
        /// What the provider answered is not good.
        Failed = "oidc_failed",
        Unavailable = "oidc_unavailable",
        /// In none of the groups that may come.
        NotAllowed = "oidc_not_allowed",
        /// No name that a user can have.
        Username = "oidc_username",
        UsernameTaken = "oidc_username_taken",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    pub id: AuditId,
    pub at: Timestamp,
    /// A user's name as it was; none for what nobody signed in did.
    pub actor: Option<String>,
    pub via: Via,
    pub address: Option<String>,
    /// A word of `AuditAction`; a newer server may have others.
    pub action: String,
    /// Such as `job:42`.
    pub object: String,
    /// What else there is to say about it; never a secret.
    pub detail: BTreeMap<String, DetailValue>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AuditLog {
    pub entries: Vec<AuditEntry>,
    pub next_cursor: Option<String>,
}
