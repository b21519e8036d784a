DROP INDEX audit_actor_action;
DROP INDEX audit_object;
DROP INDEX audit_action;
DROP INDEX audit_actor;
