-- Ended jobs in the common subset of SQLite and PostgreSQL: as many as the table `bench_size` says, of 1 to 9 scenarios,
-- by 50 users, in a database that `testarena migrate` has made. Ids go on from the last one.
INSERT INTO users (id, username, login, password_hash, is_admin, must_change_password, created_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
SELECT (SELECT value FROM counters WHERE name = 'user') + i, 'bench' || i, 'bench' || i, 'x', FALSE, FALSE, 0 FROM n;

INSERT INTO jobs (id, revision, instance, user_id, environment, branch_name, commit_hash, remote_queue_id, timeout_ms,
    created_at, status, started_at, finished_at, count_waiting, count_running, count_passed, count_failed, count_error,
    count_aborted, count_skipped, sync_state, last_synced_at, logs_state, cleanup_state, attempts)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < (SELECT jobs FROM bench_size))
SELECT (SELECT value FROM counters WHERE name = 'job') + i, 7, 'bench', (SELECT value FROM counters WHERE name = 'user') + 1 + i % 50,
    'bench', 'feature/' || (i % 200), '4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c4f1c', 'bench.' || i, 3600000,
    1700000000000 + i * 1000, CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'passed' END, 1700000001000 + i * 1000,
    1700000009000 + i * 1000, 0, 0, i % 9 + CASE WHEN i % 10 = 0 THEN 0 ELSE 1 END, CASE WHEN i % 10 = 0 THEN 1 ELSE 0 END,
    0, 0, 0, 'synced', 1700000010000 + i * 1000, 'complete', 'done', 0
FROM n;

INSERT INTO tasks (job_id, n, scenario, status, progress, message, exit_code, started_at, finished_at, log_size,
    log_complete, results_complete)
WITH RECURSIVE k (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < 9)
SELECT jobs.id, k.n, 'smoke/scenario' || k.n, 'passed', 1.0, '', 0, jobs.started_at, jobs.finished_at, 18231, TRUE, TRUE
FROM jobs, k WHERE jobs.instance = 'bench' AND k.n <= jobs.count_passed + jobs.count_failed;

-- One in ten runs did not pass, so that the one before it which did is looked up.
INSERT INTO runs (job_id, n, environment, branch_name, scenario, status, duration_ms, finished_at)
SELECT jobs.id, tasks.n, jobs.environment, jobs.branch_name, tasks.scenario, jobs.status,
    tasks.finished_at - tasks.started_at, tasks.finished_at
FROM tasks JOIN jobs ON jobs.id = tasks.job_id WHERE jobs.instance = 'bench';

UPDATE counters SET value = value + (SELECT jobs FROM bench_size) WHERE name = 'job';
UPDATE counters SET value = value + 50 WHERE name = 'user';
DROP TABLE bench_size;
ANALYZE;
