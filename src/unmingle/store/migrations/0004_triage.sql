-- Whether a face may found a person (found), may only join one (join), or is not grouped (aside).
ALTER TABLE face ADD COLUMN standing TEXT NOT NULL DEFAULT 'found';
-- The status of a face that finds nobody: not_a_face, masked or low_quality; masked stays also on one that does.
ALTER TABLE face ADD COLUMN flag TEXT NOT NULL DEFAULT '';
UPDATE face SET standing = 'aside', flag = 'low_quality' WHERE reason != '';
