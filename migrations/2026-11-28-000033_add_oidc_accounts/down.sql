DROP TABLE oidc_accounts;
