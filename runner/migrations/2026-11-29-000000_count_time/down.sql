UPDATE gone_ids SET gone_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
ALTER TABLE queues DROP COLUMN started_on_clock;
DROP TABLE clock;
