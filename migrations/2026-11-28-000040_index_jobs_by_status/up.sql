-- A list that is filtered by a status and one thing more reads what it shows, however many jobs have only one of the two.
CREATE INDEX jobs_user_status ON jobs (user_id, status, id);
CREATE INDEX jobs_environment_status ON jobs (environment, status, id);
CREATE INDEX jobs_branch_status ON jobs (branch_name, status, id);
