DROP INDEX tombstones_due;
UPDATE counters SET name = 'abandoned_queue' WHERE name = 'tombstone';
ALTER TABLE tombstones DROP COLUMN look_until;
ALTER TABLE tombstones DROP COLUMN wanted;
ALTER TABLE tombstones RENAME TO abandoned_queues;
CREATE INDEX abandoned_queues_due ON abandoned_queues (environment, next_at);
