DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (environment, lane, next_at) WHERE next_at IS NOT NULL;
DROP INDEX jobs_to_send;
