-- When a session was last used, so that one that lies idle ends before its time.
ALTER TABLE sessions ADD COLUMN last_seen_at BIGINT NOT NULL DEFAULT 0;
UPDATE sessions SET last_seen_at = created_at;
-- Goes up with the name: what shows a user's name is another version then.
ALTER TABLE users ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
