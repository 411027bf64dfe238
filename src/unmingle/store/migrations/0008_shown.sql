-- A picture is what it shows: its digest is that of the bytes in which it was met first, and stays when they change.
ALTER TABLE file ADD COLUMN bytes TEXT NOT NULL DEFAULT '';  -- SHA-256 of the file, where that is not its digest
ALTER TABLE file ADD COLUMN former TEXT;  -- the picture it showed before, whose faces are to be carried over
CREATE INDEX file_by_bytes ON file (bytes) WHERE bytes != '';
CREATE INDEX file_changed ON file (id) WHERE former IS NOT NULL;
-- SHA-256 of decoded pixels, or of the coded frames of a recording, and the digest of what shows them.
CREATE TABLE shown (
    sha BLOB PRIMARY KEY,
    digest TEXT NOT NULL
) WITHOUT ROWID;
