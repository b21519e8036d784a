-- Who looks for the deeds of somebody, or done to something, reads these and not all deeds of two years.
CREATE INDEX audit_actor ON audit_log (actor, id);
CREATE INDEX audit_action ON audit_log (action, id);
CREATE INDEX audit_object ON audit_log (object, id);
CREATE INDEX audit_actor_action ON audit_log (actor, action, id);
