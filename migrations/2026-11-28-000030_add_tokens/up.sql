-- Personal API tokens. Only a hash is kept: a stolen database lets nobody in.
CREATE TABLE tokens (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- NULL: never.
    expires_at BIGINT,
    -- Written at most once a minute.
    last_used_at BIGINT
);
CREATE INDEX tokens_user ON tokens (user_id, id);
INSERT INTO counters (name, value) VALUES ('token', 0);
