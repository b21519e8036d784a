DROP TABLE ssh_status;
