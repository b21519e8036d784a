-- Every save bumps the version and is conditional on it; the revision stays what readers see.
ALTER TABLE jobs ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- Which of the poller's loops takes the job next: its index finds what is due without looking at the rest.
ALTER TABLE jobs ADD COLUMN lane TEXT NOT NULL DEFAULT 'act';
UPDATE jobs SET lane = CASE
    WHEN delete_requested_at IS NOT NULL AND remote_deleted_at IS NOT NULL AND cleaned_at IS NULL THEN 'shell'
    WHEN delete_requested_at IS NOT NULL THEN 'act'
    WHEN status NOT IN ('waiting', 'in_progress') AND logs_state = 'mirroring' THEN 'files'
    WHEN status NOT IN ('waiting', 'in_progress') AND cleanup_state = 'pending' THEN 'shell'
    WHEN status NOT IN ('waiting', 'in_progress') THEN 'act'
    WHEN abort_requested_at IS NOT NULL THEN 'act'
    WHEN accepted_at IS NOT NULL THEN 'ask'
    ELSE 'send' END;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (environment, lane, next_at) WHERE next_at IS NOT NULL;

-- Answers in a row that did not know the queue, and since when.
ALTER TABLE jobs ADD COLUMN unknown_since BIGINT;
ALTER TABLE jobs ADD COLUMN unknown_count BIGINT NOT NULL DEFAULT 0;
-- The last time that the queue was sent: until some time after it, a submission may still be under way.
ALTER TABLE jobs ADD COLUMN last_sent_at BIGINT;
UPDATE jobs SET last_sent_at = submit_attempted_at;
-- The aborts sent so far.
ALTER TABLE jobs ADD COLUMN abort_sent_at BIGINT;
ALTER TABLE jobs ADD COLUMN abort_sends BIGINT NOT NULL DEFAULT 0;
-- When the job ended by our own clock.
ALTER TABLE jobs ADD COLUMN ended_here_at BIGINT;
UPDATE jobs SET ended_here_at = finished_at WHERE status NOT IN ('waiting', 'in_progress');
-- Somebody looks at it until then; not part of what a save is conditional on.
ALTER TABLE jobs ADD COLUMN watched_until BIGINT;
CREATE INDEX jobs_watched ON jobs (environment, watched_until) WHERE watched_until IS NOT NULL;
