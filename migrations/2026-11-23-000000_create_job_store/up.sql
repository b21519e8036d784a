-- The common subset of SQLite and PostgreSQL: BIGINT ids and integer milliseconds, BOOLEAN, TEXT enums.

-- Ids come from here, bumped first in the inserting transaction, so that none is ever used again.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('job', 0), ('user', 0), ('audit', 0), ('abandoned_queue', 0);

-- Facts about this installation: the instance id under which jobs are made.
CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    -- The name while the user lives, NULL after a delete: the name is free again, its old jobs still show it.
    login TEXT UNIQUE,
    password_hash TEXT NOT NULL,
    is_admin BOOLEAN NOT NULL,
    must_change_password BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_login_at BIGINT,
    deleted_at BIGINT
);
CREATE INDEX users_username ON users (username);

CREATE TABLE sessions (
    token_hash TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE jobs (
    id BIGINT NOT NULL PRIMARY KEY,
    -- Bumped by every change that a reader can see; the ETag is made from it and each save is conditional on it.
    revision BIGINT NOT NULL,
    instance TEXT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id),
    environment TEXT NOT NULL,
    branch_name TEXT NOT NULL,
    commit_hash TEXT NOT NULL,
    remote_queue_id TEXT NOT NULL,
    rerun_of BIGINT,
    timeout_ms BIGINT NOT NULL,
    created_at BIGINT NOT NULL,

    status TEXT NOT NULL,
    status_reason TEXT,
    position BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    count_waiting BIGINT NOT NULL,
    count_running BIGINT NOT NULL,
    count_passed BIGINT NOT NULL,
    count_failed BIGINT NOT NULL,
    count_error BIGINT NOT NULL,
    count_aborted BIGINT NOT NULL,
    count_skipped BIGINT NOT NULL,

    -- What is wanted; the poller makes it so.
    abort_requested_at BIGINT,
    abort_reason TEXT,
    delete_requested_at BIGINT,

    -- What the remote server is known to know.
    sync_state TEXT NOT NULL,
    sync_error TEXT,
    last_synced_at BIGINT,
    -- A submission may have reached the server from here on, even if no answer came.
    submit_attempted_at BIGINT,
    accepted_at BIGINT,
    seen_running_at BIGINT,
    abort_confirmed_at BIGINT,
    remote_etag TEXT,

    logs_state TEXT NOT NULL,
    logs_error TEXT,
    cleanup_state TEXT NOT NULL,
    cleanup_error TEXT,
    cleanup_since BIGINT,
    cleaned_at BIGINT,
    remote_deleted_at BIGINT,

    -- When the poller has to look at the job beside the plain rounds; NULL: nothing is due.
    next_at BIGINT,
    attempts BIGINT NOT NULL
);
CREATE INDEX jobs_user ON jobs (user_id, id);
CREATE INDEX jobs_environment ON jobs (environment, id);
CREATE INDEX jobs_branch ON jobs (branch_name, id);
CREATE INDEX jobs_status ON jobs (status, id);
CREATE INDEX jobs_due ON jobs (environment, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX jobs_open ON jobs (environment, id) WHERE status IN ('waiting', 'in_progress');

CREATE TABLE tasks (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    scenario TEXT NOT NULL,
    status TEXT NOT NULL,
    progress DOUBLE PRECISION,
    message TEXT NOT NULL,
    exit_code BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    -- Bytes of the log that are here, and whether that is all of it.
    log_size BIGINT NOT NULL,
    log_complete BOOLEAN NOT NULL,
    results_complete BOOLEAN NOT NULL,
    PRIMARY KEY (job_id, n)
);

CREATE TABLE result_files (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    path TEXT NOT NULL,
    size BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (job_id, n, path)
);

-- No reference to jobs: a key outlives its job, so that a retry learns that the job was deleted.
CREATE TABLE idempotency_keys (
    user_id BIGINT NOT NULL REFERENCES users (id),
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    job_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- One row per configured environment: what its remote server last said of itself.
CREATE TABLE environment_status (
    environment TEXT NOT NULL PRIMARY KEY,
    health TEXT NOT NULL,
    since BIGINT NOT NULL,
    last_error TEXT,
    slots BIGINT,
    busy BIGINT,
    waiting BIGINT,
    -- When all of the environment's jobs were last known to be as they stand here.
    round_at BIGINT
);

-- What is still to be done at a remote server for jobs that an admin ended or removed by force.
CREATE TABLE abandoned_queues (
    id BIGINT NOT NULL PRIMARY KEY,
    environment TEXT NOT NULL,
    instance TEXT NOT NULL,
    remote_queue_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT
);
CREATE INDEX abandoned_queues_due ON abandoned_queues (environment, next_at);

CREATE TABLE audit_log (
    id BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT,
    via TEXT NOT NULL,
    address TEXT,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL
);
