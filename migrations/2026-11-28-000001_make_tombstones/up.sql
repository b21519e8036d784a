-- What is still wanted at a remote server of a queue that no job follows any more: after a forced end, and after a
-- deletion for as long as a submission may still be under way to it.
ALTER TABLE abandoned_queues RENAME TO tombstones;
ALTER TABLE tombstones ADD COLUMN wanted TEXT NOT NULL DEFAULT 'delete';
-- Until then it is looked for again, even if the server did not know it.
ALTER TABLE tombstones ADD COLUMN look_until BIGINT NOT NULL DEFAULT 0;
UPDATE counters SET name = 'tombstone' WHERE name = 'abandoned_queue';
DROP INDEX abandoned_queues_due;
CREATE INDEX tombstones_due ON tombstones (environment, next_at);
