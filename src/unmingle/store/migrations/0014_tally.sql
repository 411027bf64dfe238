-- How often each person is shown, as people.csv lists it: counted once, and anew where triggers say that it changed.
CREATE TABLE tally (
    person INTEGER PRIMARY KEY,
    faces INTEGER NOT NULL,
    pictures INTEGER NOT NULL,       -- the same, each picture once, however many files hold it
    first_file TEXT                  -- the first of their files by name
);
CREATE TRIGGER member_came AFTER INSERT ON member
BEGIN DELETE FROM tally WHERE person = new.person; END;
CREATE TRIGGER member_went AFTER DELETE ON member
BEGIN DELETE FROM tally WHERE person = old.person; END;
CREATE TRIGGER member_moved AFTER UPDATE OF person ON member
BEGIN DELETE FROM tally WHERE person IN (old.person, new.person); END;
CREATE TRIGGER file_came AFTER INSERT ON file WHEN new.digest IS NOT NULL
BEGIN DELETE FROM tally WHERE person IN (SELECT person FROM face_row WHERE content = new.digest); END;
CREATE TRIGGER file_went AFTER DELETE ON file WHEN old.digest IS NOT NULL
BEGIN DELETE FROM tally WHERE person IN (SELECT person FROM face_row WHERE content = old.digest); END;
CREATE TRIGGER file_shows_others AFTER UPDATE OF digest, name, present ON file
WHEN (old.digest, old.name, old.present) IS NOT (new.digest, new.name, new.present)
BEGIN DELETE FROM tally WHERE person IN (SELECT person FROM face_row WHERE content IN (old.digest, new.digest)); END;
CREATE TRIGGER recipe_is_another BEFORE INSERT ON fact
WHEN new."key" = 'recipe' AND new.value IS NOT (SELECT value FROM fact WHERE "key" = 'recipe')
BEGIN DELETE FROM tally; END;
