-- Since when a job waits, where the server's clock was set since it was created; else since it was created.
ALTER TABLE jobs ADD COLUMN waits_since BIGINT;
