-- Who comes by single sign-on, by the provider's own name for them, which is never given to somebody else.
CREATE TABLE oidc_accounts (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX oidc_accounts_user ON oidc_accounts (user_id);
