ALTER TABLE jobs DROP COLUMN waits_since;
