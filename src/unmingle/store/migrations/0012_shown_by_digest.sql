-- The journal of decisions names pictures by their pixels as well.
CREATE INDEX shown_by_digest ON shown (digest);
