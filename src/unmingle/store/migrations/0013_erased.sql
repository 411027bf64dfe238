-- Where faces were that somebody had erased, by picture and box only: what finds faces leaves these out.
CREATE TABLE erased (
    content TEXT NOT NULL,           -- digest of the file
    frames BLOB NOT NULL,            -- int32, n frames of a recording; -1 for a picture
    boxes BLOB NOT NULL              -- float32, n × (left, top, width, height)
);
CREATE INDEX erased_by_content ON erased (content);
-- What the library wrote elsewhere, or as pages: a page can be taken away again, an export has left.
CREATE TABLE output (
    path BLOB NOT NULL,
    kind TEXT NOT NULL,              -- report, comparison, evaluation, sheet; of exports crops, folders, csv, …
    made TEXT NOT NULL,              -- UTC, ISO 8601: the last time
    files INTEGER NOT NULL,
    modified INTEGER NOT NULL,       -- nanoseconds, of a page as it was written; -1 of an export
    PRIMARY KEY (path, kind)
) WITHOUT ROWID;
-- Entries keep their numbers for ever; what they say of somebody who is erased goes. The fact stands until all is done.
DROP TRIGGER decision_is_not_rewritten;
CREATE TRIGGER decision_is_not_rewritten BEFORE UPDATE ON decision
WHEN NOT EXISTS (SELECT 1 FROM fact WHERE "key" = 'erasing')
BEGIN SELECT RAISE(ABORT, 'a decision is never rewritten'); END;
