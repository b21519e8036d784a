DROP INDEX jobs_to_send;
