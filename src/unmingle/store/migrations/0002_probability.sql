-- How sure it is that a face belongs to its person, 0 to 1; NULL where the recipe can't say.
ALTER TABLE member ADD COLUMN probability REAL;
