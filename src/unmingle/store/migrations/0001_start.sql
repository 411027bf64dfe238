-- Paths are kept as the bytes the system knows them by, since a file's name need not be text.
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE
);
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    path BLOB NOT NULL,              -- below its source
    name TEXT NOT NULL,              -- the path as text, with forward slashes
    size INTEGER NOT NULL DEFAULT -1,
    modified INTEGER NOT NULL DEFAULT -1,  -- nanoseconds
    digest TEXT,                     -- SHA-256 of the content; NULL until it was read
    problem TEXT NOT NULL DEFAULT '',  -- why it could not be read
    present INTEGER NOT NULL DEFAULT 1,  -- 0: not there at the last scan of its source
    UNIQUE (source, path)
);
CREATE INDEX file_by_digest ON file (digest);
-- What a recipe found in a picture: a pure function of the content and the recipe, never computed twice.
CREATE TABLE analysis (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    recipe TEXT NOT NULL,
    precision TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (digest, recipe)
);
CREATE TABLE face (
    id INTEGER PRIMARY KEY,
    analysis INTEGER NOT NULL REFERENCES analysis (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,         -- 0 is the main one of its picture
    "left" REAL NOT NULL, top REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL,
    points BLOB NOT NULL,            -- float32, 5 × (x, y)
    score REAL NOT NULL,
    quality REAL NOT NULL,
    reason TEXT NOT NULL,            -- why it is not grouped; empty if it may be
    vector BLOB NOT NULL,            -- float32
    UNIQUE (analysis, number)
);
-- A small picture of each face, so that looking at people never needs the originals.
CREATE TABLE thumbnail (
    face INTEGER PRIMARY KEY REFERENCES face (id) ON DELETE CASCADE,
    jpeg BLOB NOT NULL
);
-- Ids of people are never given twice, hence AUTOINCREMENT.
CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL DEFAULT '',
    cohesion REAL
);
CREATE TABLE member (
    face INTEGER PRIMARY KEY REFERENCES face (id) ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person (id)
);
CREATE INDEX member_by_person ON member (person);
CREATE TABLE fact (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
