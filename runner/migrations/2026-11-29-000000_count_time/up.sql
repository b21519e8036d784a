-- One row: what the clock that nobody sets showed at its last note, in milliseconds; during which start of the machine
-- that was, and how long the machine had been up then.
CREATE TABLE clock (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    boot TEXT NOT NULL,
    up BIGINT NOT NULL,
    reading BIGINT NOT NULL
);
INSERT INTO clock (id, boot, up, reading) VALUES (1, '', 0, 0);

-- On that clock when the queue began to run.
ALTER TABLE queues ADD COLUMN started_on_clock BIGINT;
-- On that clock too from now on.
UPDATE gone_ids SET gone_at = 0;
