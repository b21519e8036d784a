//! The `[oidc]` table, checked: who is asked about people, and what of the answer counts.

use super::file;
use super::load::Loader;
use super::{ConfigError, OidcConfig, values};

/// Where the client's secret is looked for if the file names no variable.
pub(super) const SECRET_VARIABLE: &str = "TESTARENA_OIDC_SECRET";

impl Loader<'_> {
    pub(super) fn oidc(&self, raw: &file::Oidc) -> Result<OidcConfig, ConfigError> {
        values::http_url(&raw.issuer).map_err(|why| ConfigError(format!("oidc.issuer: {why}")))?;
        let client_secret = match raw.client_secret_env.as_deref() {
            Some(name) => Some(self.secret("oidc.client_secret_env", name)?),
            None => self.variables.get(SECRET_VARIABLE).map(|secret| super::Secret::new(secret.to_owned())),
        };
        let text = |key: &str, given: Option<&str>, default: &str| match given.map(str::trim) {
            Some("") => Err(ConfigError(format!("oidc.{key}: must not be empty"))),
            Some(text) => Ok(text.to_owned()),
            None => Ok(default.to_owned()),
        };
        Ok(OidcConfig {
            issuer: raw.issuer.clone(),
            client_id: text("client_id", Some(&raw.client_id), "")?,
            client_secret,
            label: text("label", raw.label.as_deref(), "Single sign-on")?,
            username_claim: text("username_claim", raw.username_claim.as_deref(), "preferred_username")?,
            groups_claim: text("groups_claim", raw.groups_claim.as_deref(), "groups")?,
            allowed_groups: raw.allowed_groups.clone(),
            admin_groups: raw.admin_groups.clone(),
        })
    }
}
