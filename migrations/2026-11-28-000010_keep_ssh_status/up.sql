-- How the last commands over SSH fared at each environment. A table of its own: who asks over SSH is somebody else than
-- who polls, and neither may write over what the other has found.
CREATE TABLE ssh_status (
    environment TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    -- What is wrong with the connection, with questions about branches and scenarios, with clean-ups; NULL: nothing.
    connection_error TEXT,
    question_error TEXT,
    cleanup_error TEXT,
    -- The fingerprint that the server showed last, trusted or not.
    host_key TEXT
);
