-- How each scenario has ended, where and when: what the jobs' tasks say, once more, in the order in which history is asked for.
CREATE TABLE runs (
    job_id BIGINT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    environment TEXT NOT NULL,
    branch_name TEXT NOT NULL,
    scenario TEXT NOT NULL,
    status TEXT NOT NULL,
    duration_ms BIGINT,
    finished_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, n)
);

INSERT INTO runs (job_id, n, environment, branch_name, scenario, status, duration_ms, finished_at)
SELECT
    tasks.job_id, tasks.n, jobs.environment, jobs.branch_name, tasks.scenario, tasks.status,
    CASE
        WHEN tasks.started_at IS NULL OR tasks.finished_at IS NULL THEN NULL
        WHEN tasks.finished_at > tasks.started_at THEN tasks.finished_at - tasks.started_at
        ELSE 0
    END,
    COALESCE(tasks.finished_at, jobs.finished_at, jobs.created_at)
FROM tasks
JOIN jobs ON jobs.id = tasks.job_id
WHERE jobs.status NOT IN ('waiting', 'in_progress') AND tasks.status NOT IN ('waiting', 'running');

CREATE INDEX runs_scenario ON runs (environment, scenario, finished_at, job_id);
CREATE INDEX runs_branch ON runs (environment, branch_name, scenario, finished_at, job_id);
CREATE INDEX runs_passed ON runs (environment, branch_name, scenario, finished_at, job_id) WHERE status = 'passed';
