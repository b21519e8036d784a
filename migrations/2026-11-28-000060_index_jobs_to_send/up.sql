-- The next job to be sent is found at once, however many wait behind it.
CREATE INDEX jobs_to_send ON jobs (environment, id) WHERE lane = 'send' AND next_at IS NOT NULL;
