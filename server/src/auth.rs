//! Who is asking, and whether they may: passwords, sessions, API tokens, and the `CurrentUser` that handlers take.
//! What has been checked is remembered for a moment, so that a busy script does not pay for every call.

mod check;
mod credentials;
mod current_user;
mod memory;
mod oidc;
mod origin;
mod password;
mod recent;
mod secret;
mod session;
mod sign_in_limits;
mod token;
mod visitor;

pub use credentials::sessions_of;
pub use current_user::{Admin, CurrentUser, is_offered_basic, offer_basic};
pub use oidc::{Browser, CALLBACK_PATH, Failure, ProviderAnswer};
pub use origin::require_for_cookie;
pub use password::{Hasher, check_rules};
pub use secret::{SecretHash, new_api_token};
pub use session::{SignIn, Started};
pub use visitor::Visitor;

use crate::config::Config;
use crate::error::{ApiError, ApiResult};
use crate::store::Store;
use ipnet::IpNet;
use memory::Memory;
use oidc::Oidc;
use protocol::api::ErrorCode;
use protocol::{TokenId, UserId};
use sign_in_limits::SignInLimits;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// How long a request may wait for the note that its session or token was used.
const USE_NOTE_LIMIT: Duration = Duration::from_secs(1);

/// Cheap to clone; all clones share one memory.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    store: Store,
    hasher: Hasher,
    memory: Memory,
    limits: SignInLimits,
    oidc: Option<Oidc>,
}

impl Auth {
    /// Talks to no single sign-on provider yet.
    pub fn new(config: Arc<Config>, store: Store) -> Result<Self, String> {
        let oidc = config.oidc.as_ref().map(|oidc| Oidc::new(oidc, &config.public_url)).transpose()?;
        Ok(Self(Arc::new(Inner {
            memory: Memory::new(config.session_idle),
            config,
            store,
            hasher: Hasher::default(),
            limits: SignInLimits::default(),
            oidc,
        })))
    }

    /// For new passwords; hashing takes turns with the sign-ins.
    pub fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.config.trusted_proxies
    }

    /// Forgets what is remembered of a user, whose password, name or rights have changed or who is gone.
    pub fn forget_user(&self, id: UserId) {
        self.0.memory.forget_user(id);
    }

    /// Forgets a token that was deleted.
    pub fn forget_token(&self, id: TokenId) {
        self.0.memory.forget_token(id);
    }
}

/// Does work to its end even when the client hangs up: what was counted must be taken back, and what was changed
/// must be forgotten here, whoever waits for the answer.
pub async fn carried_through<T: Send + 'static>(
    work: impl Future<Output = ApiResult<T>> + Send + 'static,
) -> ApiResult<T> {
    tokio::spawn(work.in_current_span()).await.map_err(ApiError::internal)?
}

fn unauthenticated(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated, detail)
}
