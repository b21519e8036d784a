DELETE FROM counters WHERE name = 'token';
DROP TABLE tokens;
