-- A picture is a file or a frame of one: of a frame, `digest` is the file's with the number of the frame behind it.
ALTER TABLE analysis ADD COLUMN content TEXT NOT NULL DEFAULT '';  -- digest of the file
ALTER TABLE analysis ADD COLUMN frame INTEGER;                     -- of a recording, from 0; NULL for a picture file
ALTER TABLE analysis ADD COLUMN time REAL;                         -- of the frame, seconds
UPDATE analysis SET content = digest;
CREATE INDEX analysis_by_content ON analysis (content, recipe);
-- How far a recipe has seen a recording. Seen to the end, the recording has a row in `analysis` as well.
CREATE TABLE recording (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL,
    recipe TEXT NOT NULL,
    every REAL NOT NULL,             -- seconds between the frames that are looked at
    width INTEGER NOT NULL, height INTEGER NOT NULL,  -- of an upright frame
    frames INTEGER NOT NULL,
    duration REAL NOT NULL,          -- seconds
    seen REAL NOT NULL DEFAULT 0,    -- seconds: what lies before is stored
    looked_at INTEGER NOT NULL DEFAULT 0,  -- frames
    skipped INTEGER NOT NULL DEFAULT 0,    -- frames that could not be decoded
    UNIQUE (content, recipe)
);
-- One face through time: n sightings in packed columns. Some of them are faces of their own: those that are grouped.
CREATE TABLE track (
    id INTEGER PRIMARY KEY,
    recording INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
    still INTEGER NOT NULL,          -- 1: nothing moved in it
    frames BLOB NOT NULL,            -- int32
    times BLOB NOT NULL,             -- float64, seconds
    numbers BLOB NOT NULL,           -- int16, which face of its frame each is
    boxes BLOB NOT NULL,             -- float32, n × (left, top, width, height)
    scores BLOB NOT NULL             -- float32
);
CREATE INDEX track_by_recording ON track (recording);
ALTER TABLE face ADD COLUMN track INTEGER REFERENCES track (id) ON DELETE CASCADE;  -- whose sighting it is
ALTER TABLE face ADD COLUMN sighting INTEGER;                      -- its position in the track
CREATE INDEX face_by_track ON face (track) WHERE track IS NOT NULL;
