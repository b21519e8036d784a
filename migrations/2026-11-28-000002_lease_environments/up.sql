-- Of several processes on one database one polls an environment: the holder of its lease. The holder counts beats up;
-- who takes the lease over counts the fence up, and saves under an older fence are refused.
CREATE TABLE leases (
    environment TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    fence BIGINT NOT NULL,
    beat BIGINT NOT NULL
);
