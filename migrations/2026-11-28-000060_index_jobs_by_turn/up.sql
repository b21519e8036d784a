-- The next job of a lane is found at once, however many wait behind it: what is to be sent goes in the order of submission,
-- and of other jobs many may be due at the same time.
CREATE INDEX jobs_to_send ON jobs (environment, id) WHERE lane = 'send' AND next_at IS NOT NULL;
DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (environment, lane, next_at, id) WHERE next_at IS NOT NULL;
