-- The faces that the last grouping saw, also those that are alone: what else there is, is new.
CREATE TABLE grouped (
    face INTEGER PRIMARY KEY REFERENCES face (id) ON DELETE CASCADE
);
