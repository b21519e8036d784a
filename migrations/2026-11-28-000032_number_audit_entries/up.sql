-- The audit log's ids: PostgreSQL makes a sequence of BIGSERIAL, which locks nothing, so that deeds that are noted
-- don't wait for each other. SQLite, which has one writer, takes the word for a type and keeps to its counter.
CREATE TABLE audit_ids (id BIGSERIAL NOT NULL PRIMARY KEY);
