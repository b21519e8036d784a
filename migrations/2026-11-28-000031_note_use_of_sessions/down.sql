ALTER TABLE users DROP COLUMN revision;
ALTER TABLE sessions DROP COLUMN last_seen_at;
