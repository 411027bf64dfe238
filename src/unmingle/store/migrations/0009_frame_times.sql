-- When the frames of a recording that were looked at were to be seen, a segment at a time. Recordings that were watched
-- before have none, and are taken to have been looked at evenly.
CREATE TABLE frame_times (
    recording INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
    start REAL NOT NULL,             -- of the segment, seconds
    times BLOB NOT NULL,             -- float64, seconds
    ends BLOB NOT NULL,              -- float64, seconds: when each gives way to the next
    PRIMARY KEY (recording, start)
);
ALTER TABLE recording ADD COLUMN note TEXT NOT NULL DEFAULT '';  -- what of it was not looked at, and why
