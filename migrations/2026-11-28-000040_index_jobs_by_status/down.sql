DROP INDEX jobs_branch_status;
DROP INDEX jobs_environment_status;
DROP INDEX jobs_user_status;
