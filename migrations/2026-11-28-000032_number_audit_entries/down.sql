-- The counter that is used again must stand above what the sequence gave.
UPDATE counters SET value = (SELECT COALESCE(MAX(id), 0) FROM audit_log) + value WHERE name = 'audit';
DROP TABLE audit_ids;
