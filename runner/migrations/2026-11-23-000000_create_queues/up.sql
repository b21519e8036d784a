-- One row: which database this is (the changes feed's epoch) and the number of the last change in it.
CREATE TABLE feed (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    seq BIGINT NOT NULL
);
INSERT INTO feed (id, epoch, seq) VALUES (1, lower(hex(randomblob(16))), 0);

-- `number` is the order of acceptance. Times are milliseconds since 1970 UTC.
CREATE TABLE queues (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    queue_id TEXT NOT NULL UNIQUE,
    instance TEXT NOT NULL,
    branch TEXT NOT NULL,
    commit_hash TEXT NOT NULL,
    submitted_by TEXT NOT NULL,
    timeout_s BIGINT NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    changed BIGINT NOT NULL,
    prepared BOOLEAN NOT NULL,
    abort_requested BOOLEAN NOT NULL,
    delete_requested BOOLEAN NOT NULL
);
-- The waiting line, and the queues that may pass their limit.
CREATE INDEX queues_by_status ON queues (status, number);
-- The changes feed.
CREATE INDEX queues_by_change ON queues (instance, changed);
CREATE INDEX unfinished_queues_by_change ON queues (instance, changed) WHERE status IN ('waiting', 'running');

CREATE TABLE tasks (
    queue BIGINT NOT NULL REFERENCES queues (number) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    scenario TEXT NOT NULL,
    path TEXT NOT NULL,
    status TEXT NOT NULL,
    progress DOUBLE,
    message TEXT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    exit_code INTEGER,
    log_size BIGINT NOT NULL,
    PRIMARY KEY (queue, n)
);
-- What may start next: the scheduler reads the head of this and nothing else.
CREATE INDEX waiting_tasks ON tasks (queue, n) WHERE status = 'waiting';

-- Ids that were deleted, or aborted while unknown: a request that arrives after its own abort starts nothing.
CREATE TABLE gone_ids (
    queue_id TEXT NOT NULL,
    instance TEXT NOT NULL,
    gone_at BIGINT NOT NULL,
    PRIMARY KEY (queue_id, instance)
);
CREATE INDEX gone_ids_by_age ON gone_ids (gone_at);
