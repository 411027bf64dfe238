-- What stays of a picture when it is saved again, see faces/fingerprint.py; empty where it isn't known.
ALTER TABLE analysis ADD COLUMN fingerprint BLOB NOT NULL DEFAULT x'';
-- Faces whose pictures are copies of one another, as the last clustering found them; "of" is the best of them, and
-- stands here with itself.
CREATE TABLE copy (
    face INTEGER PRIMARY KEY REFERENCES face (id) ON DELETE CASCADE,
    "of" INTEGER NOT NULL
);
