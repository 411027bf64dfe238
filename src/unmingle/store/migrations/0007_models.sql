-- Whose the faces of other recipes were when another one became the library's: who comes back to a model finds everybody
-- under the id they had.
CREATE TABLE former (
    face INTEGER PRIMARY KEY REFERENCES face (id) ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person (id)
);
